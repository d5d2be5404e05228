"""The golden vectors of the spread hash against the program itself, for each kind of spread.

BPF_PROG_TEST_RUN does not say which entry of a map a frame was redirected to. So all frames run
eight times, each time with only those slots filled whose number has one bit set: whether a frame
is redirected or misses tells that bit of its slot.
"""

from collections.abc import Sequence

import pytest

from tests.kernel.loaded import Loaded, loaded
from tests.spec.flowhash import slot
from tests.spec.vectors import Vector, read
from xdpredirect.api.action import DeviceGroup, GroupMember, OnMiss, SpreadBy
from xdpredirect.api.match import Match
from xdpredirect.api.redirect import (
    InterfaceTerm,
    NodeSelector,
    Protect,
    RedirectSpec,
    Rule,
    XdpRedirect,
)
from xdpredirect.datapath.abi import U32

XDP_DROP, XDP_REDIRECT = 1, 4
SLOTS, BITS = 256, 8
VECTORS = read()


def group(spread_by: SpreadBy) -> XdpRedirect:
    """Everything to `lo` over 256 slots; slots without an entry drop."""
    action = DeviceGroup(members=(GroupMember(name="lo"),), spread_by=spread_by)
    rule = Rule(name="r", match=Match(all=True), action=action, on_miss=OnMiss.DROP)
    spec = RedirectSpec(
        node_selector=NodeSelector(),
        interfaces=(InterfaceTerm(names=("lo",)),),
        rules=(rule,),
        protect=Protect.NONE,
    )
    return XdpRedirect(name="o", spec=spec)


def slots_taken(program: Loaded, frames: Sequence[bytes]) -> list[int]:
    """The slot that each frame takes in the loaded program."""
    devices = program.maps["devices"]
    entries = devices.items()
    assert len(entries) == SLOTS
    found = [0] * len(frames)
    for bit in range(BITS):
        for number in range(SLOTS):
            key = U32.pack(number)
            if number >> bit & 1:
                devices.put(key, entries[key])
            else:
                devices.delete(key)
        for index, frame in enumerate(frames):
            verdict = program.run(frame).verdict
            assert verdict in (XDP_DROP, XDP_REDIRECT)
            found[index] |= (verdict == XDP_REDIRECT) << bit
    return found


def readable(vector: Vector) -> bytes:
    """The octets of a vector that a program can read. A frame that ends there takes the same slot
    as one that goes on in a second buffer, by the definition."""
    frame = bytes.fromhex(vector.frame)[: vector.linear]
    assert slot(frame, vector.spread_by) == vector.slot, vector.description
    return frame


@pytest.mark.parametrize("spread_by", sorted({v.spread_by for v in VECTORS}))
def test_every_golden_vector_takes_its_slot(spread_by: SpreadBy) -> None:
    # TEST_RUN takes no frame below an Ethernet header.
    vectors = [v for v in VECTORS if v.spread_by is spread_by and len(readable(v)) >= 14]
    with loaded([group(spread_by)]) as program:
        found = slots_taken(program, [readable(v) for v in vectors])
    wrong = {
        v.description: (number, v.slot)
        for v, number in zip(vectors, found, strict=True)
        if number != v.slot
    }
    assert not wrong
    assert len(set(found)) > len(vectors) // 3
