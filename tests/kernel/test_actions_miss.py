"""Every onMiss of every kind of redirect: what happens to a frame whose target is not there."""

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, both_modes, redirect, rule, switch, to_port, udp

N = 5
OFFLINE = 200  # a CPU number that no machine of these tests has online


def device_table(key_by: str, key: str, device: str = "p1") -> str:
    """A table of one entry."""
    entries = f"[{{key: '{key}', device: {{name: {device}}}}}]"
    return f"type: DeviceTable, deviceTable: {{keyBy: {key_by}, entries: {entries}}}"


def cpu_table(key_by: str, key: str, cpu: int = 0) -> str:
    """A table of one entry."""
    entries = f"[{{key: '{key}', cpu: {cpu}}}]"
    return f"type: CPUTable, cpuTable: {{keyBy: {key_by}, entries: {entries}}}"


CLIENTS = "[{type: Users, users: ['0']}]"
# Each leads to something that this machine lacks, or asks for a key that the frame lacks.
NOWHERE = {
    "device": "type: Device, device: {name: gone}",
    "rewritten": "type: Device, device: {name: tagged}",
    "group": "type: DeviceGroup, deviceGroup: {members: [{name: gone}, {name: gone2}]}",
    "number": device_table("DSCP", "1"),
    "missing": device_table("DSCP", "0", "gone"),
    "no-key": device_table("VLAN", "1"),
    "no-teid": device_table("TEID", "0"),
    "long-key": device_table("SourceMAC", "02:00:00:00:00:99"),
    "dressed": device_table("DSCP", "0", "tagged"),
    "address": device_table("SourceIP", "10.0.0.0/8"),
    "broadcast": "type: Broadcast, broadcast: {devices: [{name: gone}]}",
    "only-ingress": "type: Broadcast, broadcast: {devices: [{name: in}]}",
    "cpus": f"type: CPUs, cpus: {{set: '{OFFLINE}'}}",
    "cpu-table": cpu_table("DSCP", "1"),
    "cpu-offline": cpu_table("DSCP", "0", OFFLINE),
    "cpu-address": cpu_table("DestinationIP", "10.0.0.0/8"),
    "sockets": f"type: Sockets, sockets: {{queues: '0', clients: {CLIENTS}}}",
    "other-queue": f"type: Sockets, sockets: {{queues: 1-999, clients: {CLIENTS}}}",
    "route": "type: Route",
}
# Where the frames of such a rule come out.
OUT = {"Pass": "stack", "Drop": "", "TX": "in", "Abort": "", "Continue": "p2"}
PUSH = "{vlan: {operation: Push, id: 5}}"
TAGGED = f"[{{name: tagged, select: [{{names: [gone]}}], rewrite: {PUSH}}}]"


@both_modes
def test_every_miss_of_every_redirect(lab: Lab, mode: str) -> None:
    rows = [
        (number, kind, on_miss)
        for number, (kind, on_miss) in enumerate(
            ((kind, on_miss) for kind in NOWHERE for on_miss in OUT), 1
        )
    ]
    with switch(lab, mode) as s:
        s.apply(
            redirect(
                *(
                    rule(
                        f"{kind}-{on_miss.lower()}",
                        to_port(number),
                        f"{{{NOWHERE[kind]}, onMiss: {on_miss}}}",
                    )
                    for number, kind, on_miss in rows
                ),
                rule("rest", CATCH_ALL, "{type: Device, device: {name: p2}}"),
                devices=TAGGED,
            )
        )
        # A frame that misses goes on as it came.
        wanted = {
            port: [udp(number) for number, _, on_miss in rows if OUT[on_miss] == port]
            for port in ("stack", "in", "p2")
        }
        found = s.deliver(
            [udp(number) for number, *_ in rows], **{port: len(f) for port, f in wanted.items()}
        )
        assert found == wanted
        rules = {r.rule: r.counters for r in s.interface().rules}
        for _, kind, on_miss in rows:
            counters = rules[f"{kind}-{on_miss.lower()}"]
            assert (counters.packets, counters.misses, counters.errors) == (1, 1, 0), kind
        assert (rules["rest"].packets, rules["rest"].misses) == (len(NOWHERE), 0)


@both_modes
def test_on_miss_is_pass_when_nothing_is_said(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(redirect(rule("r", CATCH_ALL, "{type: Device, device: {name: gone}}")))
        s.deliver([udp(1)] * N, stack=N)
        assert s.counted("r").misses == N
        assert s.interface().rules[0].targets == ("gone (missing)",)
