"""Frames of several buffers: 9,000 octets over wires of that MTU, every action, whole lengths."""

import pytest

from tests.kernel.cpu_counter import CPUS
from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, both_modes, redirect, rule, switch, udp
from tests.spec.frames import padded

MTU, N = 9000, 10
JUMBO = padded(udp(1), MTU + 14)
TAGGED = JUMBO[:12] + b"\x81\x00\x00\x05" + JUMBO[12:]
SWAPPED = JUMBO[6:12] + JUMBO[:6] + JUMBO[12:]
SMALL = padded(udp(1), 1000)
PUSH = "{vlan: {operation: Push, id: 5}}"
DEVICES = f"[{{name: tagged, select: [{{names: [p2]}}], rewrite: {PUSH}}}]"

# Action, where the frames come out, and how they look there.
ACTIONS = (
    ("{type: Pass}", "stack", JUMBO),
    ("{type: Drop}", "", b""),
    ("{type: TX, tx: {}}", "in", JUMBO),
    ("{type: TX, tx: {rewrite: {swapMACs: true}}}", "in", SWAPPED),
    (f"{{type: TX, tx: {{rewrite: {PUSH}}}}}", "in", TAGGED),
    ("{type: Device, device: {name: p1}}", "p1", JUMBO),
    ("{type: Device, device: {name: tagged}}", "p2", TAGGED),
    ("{type: Device, device: {name: gone}}", "stack", JUMBO),
    ("{type: DeviceGroup, deviceGroup: {members: [{name: p1}]}}", "p1", JUMBO),
    (
        ("{type: DeviceTable,"
        " deviceTable: {keyBy: DSCP, entries: [{key: '0', device: {name: p2}}]}}"),
        "p2",
        JUMBO,
    ),
    (f"{{type: CPUs, cpus: {{set: '0-{CPUS - 1}'}}}}", "stack", JUMBO),
    (
        "{type: CPUs, cpus: {set: '0', then: {type: Device, device: {name: tagged}}}}",
        "p2",
        TAGGED,
    ),
    ("{type: CPUs, cpus: {set: '0', then: {type: Drop}}}", "", b""),
    ("{type: Broadcast, broadcast: {devices: [{name: p1}]}}", "p1", JUMBO),
)  # fmt: skip


def kind(value: object) -> str | None:
    """Identifier of a row: its type."""
    text = str(value)
    return text[7:].split(",", maxsplit=1)[0].rstrip("}") if text.startswith("{type") else ""


@both_modes
@pytest.mark.parametrize(("action", "out", "frame"), ACTIONS, ids=kind)
def test_jumbo_frames(lab: Lab, mode: str, action: str, out: str, frame: bytes) -> None:
    with switch(lab, mode, mtu=MTU) as s:
        s.apply(redirect(rule("r", CATCH_ALL, action), devices=DEVICES))
        assert s.interface().frags
        found = s.deliver([JUMBO] * N, **({out: N} if out else {}))
        assert found.get(out, []) == ([frame] * N if out else [])
        counters = s.counted("r")
        # Whole frames, not their first buffers.
        assert (counters.packets, counters.octets) == (N, N * len(JUMBO))


@both_modes
def test_lengths_are_those_of_whole_frames(lab: Lab, mode: str) -> None:
    long = rule("long", "{lengths: [{min: 9000, max: 9014}]}", "{type: Device, device: {name: p1}}")
    with switch(lab, mode, mtu=MTU) as s:
        s.apply(redirect(long, rule("rest", CATCH_ALL, "{type: Device, device: {name: p2}}")))
        s.deliver([JUMBO, SMALL, JUMBO[:8999]] * N, p1=N, p2=2 * N)
        assert s.counted("long").octets == N * len(JUMBO)
        assert s.counted("rest").octets == N * (len(SMALL) + 8999)


@both_modes
def test_the_kernel_copies_no_frame_of_several_buffers(lab: Lab, mode: str) -> None:
    """kernel/bpf/devmap.c answers EOPNOTSUPP in both modes (measured with Linux 6.18), so no
    member gets one; a broadcast to a single device needs no copy and works (ACTIONS)."""
    flood = "{type: Broadcast, broadcast: {devices: [{name: p1}, {name: p2}]}}"
    with switch(lab, mode, mtu=MTU) as s:
        s.apply(redirect(rule("r", CATCH_ALL, flood)))
        s.deliver([JUMBO] * N)
        s.deliver([SMALL] * N, p1=N, p2=N)
        assert s.counted("r").packets == 2 * N


@both_modes
def test_without_frags_a_small_frame_still_passes(lab: Lab, mode: str) -> None:
    text = rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}")
    with switch(lab, mode) as s:
        s.apply(redirect(text, frags="Disabled"))
        assert not s.interface().frags
        s.deliver([SMALL] * N, p1=N)
        assert s.counted("r").octets == N * len(SMALL)
