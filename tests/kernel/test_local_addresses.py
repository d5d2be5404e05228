"""`protect: Node` on a host of many addresses: a filter of bits stands before the hash map, and
must neither let one of the host's addresses to the rules nor keep anybody else's from them."""

import random
from collections.abc import Iterator

import pytest
from scapy.layers.inet import TCP

from tests.kernel.bytecode import XDP_DROP, XDP_PASS
from tests.kernel.loaded import Loaded, a_host, loaded
from tests.spec.frames import ethernet, ip4, ip6
from xdpredirect.api.action import Drop
from xdpredirect.api.match import Match
from xdpredirect.api.redirect import (
    InterfaceTerm,
    NodeSelector,
    RedirectSpec,
    Rule,
    XdpRedirect,
)
from xdpredirect.datapath.abi import local_bits
from xdpredirect.host import Link, XdpFeatures

HELD = 300
FOREIGN = 1500
"""Of each family."""

_random = random.Random(3)


def _addresses(count: int) -> list[bytes]:
    """Of both families, none of loopback, which nobody else may send to."""
    return [
        first + _random.randbytes(octets)
        for first, octets in ((b"\xc6", 3), (b"\xfd", 15))
        for _ in range(count)
    ]


LOCAL = _addresses(HELD)
STRANGERS = _addresses(FOREIGN)


def _frame(address: bytes) -> bytes:
    text = ".".join(map(str, address)) if len(address) == 4 else address.hex(":", 2)
    layer = ip4(destination=text) if len(address) == 4 else ip6(destination=text)
    return ethernet(layer / TCP(dport=80))


@pytest.fixture(scope="module")
def program() -> Iterator[Loaded]:
    link = Link(
        ifindex=1,
        name="lo",
        mac=bytes(6),
        up=True,
        addresses=tuple(LOCAL),
        features=XdpFeatures(127),
    )
    everything = XdpRedirect(
        name="o",
        spec=RedirectSpec(
            node_selector=NodeSelector(),
            interfaces=(InterfaceTerm(names=("lo",)),),
            rules=(Rule(name="all", match=Match(all=True), action=Drop()),),
        ),
    )
    with loaded([everything], (), a_host((link,))) as result:
        assert {"local", "local_bits"} <= result.maps.keys()
        yield result


def test_every_address_of_the_host_is_spared(program: Loaded) -> None:
    spared = [a for a in LOCAL if program.run(_frame(a)).verdict == XDP_PASS]
    assert spared == LOCAL


def test_no_foreign_address_is_spared(program: Loaded) -> None:
    taken = [a for a in STRANGERS if program.run(_frame(a)).verdict == XDP_DROP]
    assert taken == STRANGERS


def test_the_bit_alone_spares_nobody(program: Loaded) -> None:
    """Foreign addresses whose bit one of the host's has set go on to the hash map."""
    bits = {word: int.from_bytes(value, "little") for word, value in local_bits(LOCAL).items()}
    alike = []
    for address in STRANGERS:
        ((word, value),) = local_bits([address]).items()
        if bits.get(word, 0) & int.from_bytes(value, "little"):
            alike.append(address)
    assert len(alike) > 100
    assert {program.run(_frame(address)).verdict for address in alike} == {XDP_DROP}
