"""Broadcast: a copy for each member, with or without the wire of arrival, each dressed in its own
way by the egress program."""

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, both_modes, redirect, rule, switch, udp

N = 10
PORTS = ("in", "p1", "p2", "p3")
ALL = "[{name: in}, {name: p1}, {name: p2}, {name: p3}]"


def broadcast(members: str, ingress: str = "Exclude", **spec: object) -> str:
    """An object that floods everything to these devices."""
    action = f"broadcast: {{devices: {members}, ingressDevice: {ingress}}}"
    return redirect(rule("r", CATCH_ALL, f"{{type: Broadcast, {action}}}"), **spec)


@both_modes
def test_a_copy_for_each_member_but_the_ingress(lab: Lab, mode: str) -> None:
    with switch(lab, mode, PORTS) as s:
        s.apply(broadcast(ALL))
        copies = s.deliver([udp(n) for n in range(N)], p1=N, p2=N, p3=N)
        assert all(frames == [udp(n) for n in range(N)] for frames in copies.values())
        assert s.counted("r").packets == N


@both_modes
def test_the_ingress_gets_a_copy_when_it_is_included(lab: Lab, mode: str) -> None:
    with switch(lab, mode, PORTS) as s:
        s.apply(broadcast(ALL, "Include"))
        copies = s.deliver([udp(n) for n in range(N)], **{"in": N}, p1=N, p2=N, p3=N)
        assert all(frames == [udp(n) for n in range(N)] for frames in copies.values())


@both_modes
def test_all_interfaces_that_an_entry_selects_are_members(lab: Lab, mode: str) -> None:
    with switch(lab, mode, PORTS) as s:
        s.apply(broadcast("[{name: all}]", devices="[{name: all, select: [{names: ['p?']}]}]"))
        s.deliver([udp(1)] * N, p1=N, p2=N, p3=N)


@both_modes
def test_each_member_is_dressed_in_its_own_way(lab: Lab, mode: str) -> None:
    devices = (
        "[{name: tagged, select: [{names: [p2]}], rewrite: {vlan: {operation: Push, id: 5}}},"
        " {name: addressed, select: [{names: [p3]}],"
        " rewrite: {destinationMAC: '02:00:00:00:99:99'}}]"
    )
    with switch(lab, mode, PORTS) as s:
        s.apply(broadcast("[{name: p1}, {name: tagged}, {name: addressed}]", devices=devices))
        copies = s.deliver([udp(1)] * N, p1=N, p2=N, p3=N)
        assert copies["p1"] == [udp(1)] * N
        assert copies["p2"] == [udp(1)[:12] + b"\x81\x00\x00\x05" + udp(1)[12:]] * N
        # Without a source of its own a new destination comes with the address of the device.
        new = bytes.fromhex("020000009999") + s.near["p3"].mac + udp(1)[12:]
        assert copies["p3"] == [new] * N


@both_modes
def test_a_member_that_is_down_gets_none_and_the_last_one_makes_a_miss(lab: Lab, mode: str) -> None:
    with switch(lab, mode, PORTS) as s:
        s.apply(broadcast("[{name: in}, {name: p1}, {name: p2}]"))
        s.dut.ip("link", "set", "p1", "down")
        s.converge()
        s.deliver([udp(1)] * N, p2=N)
        s.dut.ip("link", "set", "p2", "down")
        s.converge()
        # Only the ingress is left, which gets none: the kernel would drop the frames in silence.
        s.deliver([udp(1)] * N, stack=N)
        assert s.counted("r").misses == N
        s.dut.ip("link", "set", "p1", "up")
        s.converge()
        s.deliver([udp(1)] * N, p1=N)


@both_modes
def test_another_rule_to_a_dressed_member_wears_the_same(lab: Lab, mode: str) -> None:
    """The kernel keeps one egress program a device, so both rules must agree, and then do."""
    tagged = "[{name: tagged, select: [{names: [p2]}], rewrite: {vlan: {operation: Push, id: 5}}}]"
    flood = "{type: Broadcast, broadcast: {devices: [{name: p1}, {name: tagged}]}}"
    one = "{type: Device, device: {name: tagged}}"
    match = "{protocols: [UDP], destinationPorts: [{port: 2}]}"
    with switch(lab, mode, PORTS) as s:
        s.apply(redirect(rule("one", match, one), rule("r", CATCH_ALL, flood), devices=tagged))
        found = s.deliver([udp(2)] * N + [udp(1)] * N, p1=N, p2=2 * N)
        dressed = [f[:12] + b"\x81\x00\x00\x05" + f[12:] for f in (udp(2), udp(1))]
        assert found["p2"] == [dressed[0]] * N + [dressed[1]] * N


@both_modes
def test_two_wishes_for_one_device_are_refused_with_a_reason(lab: Lab, mode: str) -> None:
    tagged = "[{name: tagged, select: [{names: [p2]}], rewrite: {vlan: {operation: Push, id: 5}}}]"
    flood = "{type: Broadcast, broadcast: {devices: [{name: p1}, {name: tagged}]}}"
    match = "{protocols: [UDP], destinationPorts: [{port: 2}]}"
    plain = rule("plain", match, "{type: Device, device: {name: p2}}")
    with switch(lab, mode, PORTS) as s:
        outcome = s.apply(redirect(plain, rule("r", CATCH_ALL, flood), devices=tagged))
        (found,) = [
            f for o in outcome.report.objects for f in o.findings if f.severity == "Stalled"
        ]
        assert found.reason == "RewriteConflict"
        assert "p2" in found.message
        s.deliver([udp(1)] * N, stack=N)
