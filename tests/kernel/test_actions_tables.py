"""DeviceTable by every key, with and without a rewrite: which key leads to which wire."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from scapy.layers.inet import UDP

from tests.kernel.lab import Lab
from tests.kernel.switch import (
    CATCH_ALL,
    address_set,
    both_modes,
    redirect,
    rule,
    switch,
    udp,
)
from tests.spec.frames import ethernet, ip4, ip6, patched, service, vlan
from tests.spec.tunnels import TUNNELS, gtp
from xdpredirect.api.action import KeyBy

INNER = ip4("10.9.9.9") / UDP(sport=5, dport=6)
TAG = b"\x81\x00\x00\x05"


def vxlan(vni: int) -> bytes:
    """A VXLAN frame of that network."""
    return patched(TUNNELS["VXLAN"](INNER), 46, vni.to_bytes(3, "big"))


def geneve(vni: int) -> bytes:
    """A Geneve frame of that network."""
    return patched(TUNNELS["Geneve"](INNER), 46, vni.to_bytes(3, "big"))


def teid(number: int) -> bytes:
    """A GTP-U frame of that tunnel."""
    return gtp(number, INNER)


def macs(source: str, destination: str) -> bytes:
    """A frame that is not IP between two MAC addresses."""
    return ethernet(bytes(46), 0x88B5, source=source, destination=destination)


@dataclass(frozen=True)
class Table:
    """Entries of a table (key: device) and frames with where each goes ("": it misses)."""

    key_by: str
    entries: dict[str, str]
    frames: Sequence[tuple[bytes, str]]
    groups: dict[str, Sequence[str]] | None = None


A, B = "p1", "p2"
MAC1, MAC2, MAC3 = "02:00:00:00:aa:01", "fe:ff:ff:ff:ff:02", "02:00:00:00:aa:03"
TABLES = (
    Table(
        "VLAN",
        {"0": A, "100": A, "4094": B},
        (
            (udp(1, tags=[vlan(100)]), A),
            (udp(1, tags=[vlan(100, 7)]), A),
            (udp(1, tags=[vlan(4094)]), B),
            (udp(1, tags=[vlan(0, 3)]), A),
            (udp(1, tags=[vlan(101)]), ""),
            (udp(1, tags=[service(100), vlan(4094)]), A),
            (udp(1), ""),
        ),
    ),
    Table(
        "VNI",
        {"0": A, "5": A, "16777215": B},
        (
            (vxlan(5), A),
            (geneve(5), A),
            (vxlan(16777215), B),
            (vxlan(0), A),
            (vxlan(6), ""),
            (patched(vxlan(5), 42, b"\x00"), ""),
            (teid(5), ""),
            (udp(1), ""),
        ),
    ),
    Table(
        "TEID",
        {"0": A, "5": A, "4294967295": B},
        ((teid(5), A), (teid(4294967295), B), (teid(0), A), (teid(6), ""), (vxlan(5), ""),
         (udp(2), "")),
    ),
    Table(
        "DSCP",
        {"0": A, "46": B, "63": B},
        (
            (udp(1), A),
            (udp(1, ip=ip4(tos=46 << 2 | 1)), B),
            (udp(1, ip=ip6(tc=46 << 2)), B),
            (udp(1, ip=ip6(tc=255)), B),
            (udp(1, ip=ip4(tos=45 << 2)), ""),
            (ethernet(bytes(46), 0x88B5), ""),
        ),
    ),
    Table("IngressInterface", {"in": A, "p2": B}, ((udp(1), A),)),
    Table("IngressInterface", {"p2": B}, ((udp(1), ""),)),
    Table(
        "SourceMAC",
        {MAC1: A, MAC2: B},
        ((macs(MAC1, MAC2), A), (macs(MAC2, MAC1), B), (macs(MAC3, MAC1), "")),
    ),
    Table(
        "DestinationMAC",
        {MAC1: A, "ff:ff:ff:ff:ff:ff": B},
        ((macs(MAC2, MAC1), A), (macs(MAC1, "ff:ff:ff:ff:ff:ff"), B), (macs(MAC1, MAC3), "")),
    ),
    # The longest prefix wins, in whatever order the entries stand.
    Table(
        "SourceIP",
        {"10.0.0.0/8": A, "10.1.0.0/16": B, "10.1.2.3": A, "2001:db8::/32": B,
         "2001:db8:1::/48": A},
        (
            (udp(1, ip=ip4("10.9.0.1")), A),
            (udp(1, ip=ip4("10.1.0.1")), B),
            (udp(1, ip=ip4("10.1.2.3")), A),
            (udp(1, ip=ip4("11.0.0.1", "10.1.2.3")), ""),
            (udp(1, ip=ip6("2001:db8:2::1")), B),
            (udp(1, ip=ip6("2001:db8:1::1")), A),
            (udp(1, ip=ip6("2001:db9::1")), ""),
            (ethernet(bytes(46), 0x88B5), ""),
        ),
    ),
    Table(
        "DestinationIP",
        {"0.0.0.0/0": A, "192.0.2.128/25": B, "::/0": B, "2001:db8::1": A},
        (
            (udp(1, ip=ip4(destination="8.8.8.8")), A),
            (udp(1, ip=ip4(destination="192.0.2.200")), B),
            (udp(1, ip=ip4(destination="192.0.2.100")), A),
            (udp(1, ip=ip6(destination="2001:db8::1")), A),
            (udp(1, ip=ip6(destination="2001:db8::2")), B),
        ),
    ),
    # Keys are groups of an address set; a group holds networks of both families.
    Table(
        "DestinationIP",
        {"gold": A, "lead": B},
        (
            (udp(1, ip=ip4(destination="198.51.100.7")), A),
            (udp(1, ip=ip4(destination="198.51.100.77")), B),
            (udp(1, ip=ip6(destination="2001:db8:7::7")), A),
            (udp(1, ip=ip4(destination="203.0.113.1")), ""),
        ),
        {
            "gold": ("198.51.100.0/24", "2001:db8:7::/48"),
            "lead": ("198.51.100.64/26",),
            "other": ("203.0.113.0/24",),
        },
    ),
)  # fmt: skip


def object_of(table: Table, renamed: dict[str, str], **spec: object) -> list[str]:
    """The object of a table, and its address set; `renamed` are other names of targets."""
    entries = ", ".join(
        f"{{key: '{key}', device: {{name: {renamed.get(to, to)}}}}}"
        for key, to in table.entries.items()
    )
    named = ", addressSet: {name: tiers}" if table.groups else ""
    action = f"deviceTable: {{keyBy: {table.key_by}{named}, entries: [{entries}]}}"
    found = [redirect(rule("r", CATCH_ALL, f"{{type: DeviceTable, {action}}}"), **spec)]
    if table.groups:
        found.insert(0, address_set("tiers", **table.groups))
    return found


def named(table: Table) -> str:
    """The test's identifier of a table."""
    return f"{table.key_by}-{len(table.entries)}{'-groups' if table.groups else ''}"


@both_modes
@pytest.mark.parametrize("table", TABLES, ids=named)
def test_device_table(lab: Lab, mode: str, table: Table) -> None:
    with switch(lab, mode) as s:
        s.apply(*object_of(table, {}))
        missed = [frame for frame, to in table.frames if not to]
        wanted = {to: [f for f, t in table.frames if t == to] for to in (A, B)}
        found = s.deliver(
            [frame for frame, _ in table.frames],
            **{to: len(frames) for to, frames in wanted.items()},
            stack=len(missed),
        )
        for to, frames in wanted.items():
            assert found.get(to, []) == frames
        assert found.get("stack", []) == missed
        counters = s.counted("r")
        assert (counters.packets, counters.misses) == (len(table.frames), len(missed))


@both_modes
@pytest.mark.parametrize("table", TABLES, ids=named)
def test_device_table_with_a_rewrite(lab: Lab, mode: str, table: Table) -> None:
    """One of the two devices is dressed; frames to the other and frames that miss stay as they
    are."""
    with switch(lab, mode) as s:
        push = "{vlan: {operation: Push, id: 5}}"
        tagged = f"{{name: tagged, select: [{{names: [p2]}}], rewrite: {push}}}"
        s.apply(*object_of(table, {B: "tagged"}, devices=f"[{tagged}]"))
        wanted = {to: [f for f, t in table.frames if t == to] for to in (A, B, "")}
        found = s.deliver(
            [frame for frame, _ in table.frames],
            **{to or "stack": len(frames) for to, frames in wanted.items()},
        )
        assert found.get(A, []) == wanted[A]
        assert found.get("stack", []) == wanted[""]
        assert found.get(B, []) == [f[:12] + TAG + f[12:] for f in wanted[B]]


def test_every_key_is_tried() -> None:
    # RxQueue is in test_actions_queues.py, which needs more than one queue.
    assert {table.key_by for table in TABLES} | {KeyBy.RX_QUEUE} == set(KeyBy)
