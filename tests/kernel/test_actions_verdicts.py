"""Pass, Drop and TX with every rewrite, for real: what comes out of which wire."""

from dataclasses import dataclass

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, both_modes, redirect, rule, switch, to_port, udp
from tests.spec.frames import HOST_MAC, ROUTER_MAC, Tag, mac, service, vlan

N = 20
NEW_MAC, OTHER_MAC = "02:0a:00:00:00:aa", "02:0a:00:00:00:bb"


@both_modes
def test_pass_reaches_the_stack_and_drop_nothing(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(
                rule("pass", to_port(1), "{type: Pass}"),
                rule("drop", to_port(2), "{type: Drop}"),
            )
        )
        passed = s.deliver([udp(1)] * N, stack=N)
        s.deliver([udp(2)] * N)
        s.deliver([udp(3)] * N, stack=N)
        assert passed["stack"] == [udp(1)] * N
        for name in ("pass", "drop"):
            counters = s.counted(name)
            assert (counters.packets, counters.octets) == (N, N * len(udp(1)))
            assert (counters.misses, counters.errors) == (0, 0)
        assert s.interface().unmatched.packets == N


@both_modes
def test_tx_sends_frames_back_unchanged(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(redirect(rule("r", CATCH_ALL, "{type: TX, tx: {}}")))
        back = s.deliver([udp(1)] * N, **{"in": N})
        assert back["in"] == [udp(1)] * N
        assert s.counted("r").packets == N


@dataclass(frozen=True)
class Row:
    """A rewrite, and the frame that leaves for one that came in with these tags."""

    rewrite: str
    came: tuple[Tag, ...] = ()
    left: tuple[Tag, ...] = ()
    destination: str = ROUTER_MAC
    source: str = HOST_MAC


PRIORITY = 5
REWRITES = (
    Row(f'{{destinationMAC: "{NEW_MAC}", sourceMAC: "{OTHER_MAC}"}}', (), (), NEW_MAC, OTHER_MAC),
    Row(f'{{sourceMAC: "{OTHER_MAC}"}}', source=OTHER_MAC),
    # Without a source of its own a new destination comes with the address of the device.
    Row(f'{{destinationMAC: "{NEW_MAC}"}}', destination=NEW_MAC, source="device"),
    Row("{swapMACs: true}", destination=HOST_MAC, source=ROUTER_MAC),
    Row("{swapMACs: true}", (vlan(7),), (vlan(7),), HOST_MAC, ROUTER_MAC),
    Row("{vlan: {operation: Push, id: 7}}", (), (vlan(7),)),
    Row("{vlan: {operation: Push, id: 7}}", (vlan(9, PRIORITY),), (vlan(7), vlan(9, PRIORITY))),
    Row("{vlan: {operation: Pop}}", (vlan(9, PRIORITY),), ()),
    Row("{vlan: {operation: Pop}}", (service(9), vlan(8, PRIORITY)), (vlan(8, PRIORITY),)),
    Row("{vlan: {operation: Pop}}", (), ()),
    # The VLAN ID only: priority bits and the kind of tag stay.
    Row("{vlan: {operation: Replace, id: 7}}", (vlan(9, PRIORITY),), (vlan(7, PRIORITY),)),
    Row("{vlan: {operation: Replace, id: 7}}", (service(9), vlan(8)), (service(7), vlan(8))),
    Row("{vlan: {operation: Replace, id: 7}}", (), ()),
    Row("{swapMACs: true, vlan: {operation: Push, id: 4094}}", (), (vlan(4094),), HOST_MAC,
        ROUTER_MAC),
    Row(f'{{destinationMAC: "{NEW_MAC}", sourceMAC: "{OTHER_MAC}", vlan: {{operation: Pop}}}}',
        (vlan(1),), (), NEW_MAC, OTHER_MAC),
)  # fmt: skip


def leaves(row: Row, frame: bytes, device: bytes) -> bytes:
    """`frame`, untagged, as the row wants it to leave; `device` is the MAC of the way out."""
    source = device if row.source == "device" else mac(row.source)
    stack = b"".join(number.to_bytes(2, "big") for tag in row.left for number in tag)
    return mac(row.destination) + source + stack + frame[12:]


@both_modes
def test_tx_with_each_rewrite(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(
                *(
                    rule(f"r{n}", to_port(n), f"{{type: TX, tx: {{rewrite: {row.rewrite}}}}}")
                    for n, row in enumerate(REWRITES, 1)
                )
            )
        )
        sent = [udp(n, tags=row.came) for n, row in enumerate(REWRITES, 1)]
        back = s.deliver(sent, **{"in": len(sent)})["in"]
        for n, row in enumerate(REWRITES, 1):
            assert back[n - 1] == leaves(row, udp(n), s.near["in"].mac), row
            assert s.counted(f"r{n}").packets == 1


@both_modes
def test_device_with_each_rewrite(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        devices = ", ".join(
            f"{{name: d{n}, select: [{{names: [p1]}}], rewrite: {row.rewrite}}}"
            for n, row in enumerate(REWRITES, 1)
        )
        s.apply(
            redirect(
                *(
                    rule(f"r{n}", to_port(n), f"{{type: Device, device: {{name: d{n}}}}}")
                    for n in range(1, len(REWRITES) + 1)
                ),
                rule("plain", to_port(99), "{type: Device, device: {name: p1}}"),
                devices=f"[{devices}]",
            )
        )
        sent = [udp(n, tags=row.came) for n, row in enumerate(REWRITES, 1)]
        out = s.deliver(sent, p1=len(sent))["p1"]
        for n, row in enumerate(REWRITES, 1):
            assert out[n - 1] == leaves(row, udp(n), s.near["p1"].mac), row
        # A device without a rewrite, though others lead to the same interface: nothing changes.
        assert s.deliver([udp(99)] * N, p1=N)["p1"] == [udp(99)] * N
