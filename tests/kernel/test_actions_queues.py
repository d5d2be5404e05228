"""Receive queues: tables and spreads by the queue on which a frame arrived."""

import pytest

from tests.kernel.cpu_counter import CPUS, CpuCounter
from tests.kernel.lab import Lab
from tests.kernel.rx_queues import QUEUES, SEEN, N, send_to_queue
from tests.kernel.switch import CATCH_ALL, Switch, both_modes, redirect, rule, switch, udp

REWRITE = "rewrite: {vlan: {operation: Push, id: 5}}"


def led(s: Switch, ways: dict[int, str]) -> None:
    """Sends to every queue; frames of a queue, as XDP sees it, come out of `ways`, unchanged."""
    wanted: dict[str, list[bytes]] = {}
    with s.near["in"].counter() as stack, s.far["p1"].counter() as p1, s.far["p2"].counter() as p2:
        for queue in range(QUEUES):
            frames = send_to_queue(s, queue)
            wanted.setdefault(ways[SEEN[s.mode][queue]], []).extend(frames)
        for name, counter in (("stack", stack), ("p1", p1), ("p2", p2)):
            assert counter.exactly(len(wanted.get(name, []))) == wanted.get(name, [])


def by_queue(**entries: str) -> str:
    """A device table with the keys q0, q1, ..."""
    listed = ", ".join(f"{{key: '{k[1:]}', device: {{name: {to}}}}}" for k, to in entries.items())
    return f"{{type: DeviceTable, deviceTable: {{keyBy: RxQueue, entries: [{listed}]}}}}"


@both_modes
def test_device_table_by_queue(lab: Lab, mode: str) -> None:
    with switch(lab, mode, queues=QUEUES) as s:
        s.apply(redirect(rule("r", CATCH_ALL, by_queue(q0="p1", q1="p2"))))
        led(s, {0: "p1", 1: "p2"})
        assert s.counted("r").misses == 0


@both_modes
def test_device_table_by_queue_with_a_rewrite(lab: Lab, mode: str) -> None:
    tagged = f"[{{name: tagged, select: [{{names: [p2]}}], {REWRITE}}}]"
    # The entry that is dressed is the last that XDP of this mode sees.
    last = SEEN[mode][-1]
    entries = {f"q{last}": "tagged"}
    with switch(lab, mode, queues=QUEUES) as s:
        s.apply(redirect(rule("r", CATCH_ALL, by_queue(**entries)), devices=tagged))
        with s.far["p2"].counter() as p2:
            send_to_queue(s, 1)
            assert p2.exactly(N) == [udp(1)[:12] + b"\x81\x00\x00\x05" + udp(1)[12:]] * N


@both_modes
def test_a_queue_that_the_table_lacks_is_a_miss(lab: Lab, mode: str) -> None:
    with switch(lab, mode, queues=QUEUES) as s:
        s.apply(redirect(rule("r", CATCH_ALL, by_queue(q1="p1"))))
        led(s, {0: "stack", 1: "p1"})
        assert s.counted("r").misses == N * SEEN[mode].count(0)


@both_modes
@pytest.mark.parametrize(
    "action",
    [
        f"{{type: CPUs, cpus: {{set: '0-{CPUS - 1}', spreadBy: RxQueue}}}}",
        (
            "{type: CPUTable, cpuTable: {keyBy: RxQueue,"
            " entries: [{key: '0', cpu: 0}, {key: '1', cpu: 1}]}}"
        ),
    ],
    ids=["spread", "table"],
)
def test_the_queue_chooses_the_cpu(lab: Lab, mode: str, action: str) -> None:
    with switch(lab, mode, queues=QUEUES) as s:
        s.apply(redirect(rule("r", CATCH_ALL, action)))
        for queue in range(QUEUES):
            with CpuCounter(s.near["in"]) as counter:
                frames = send_to_queue(s, queue)
                assert counter.read(N) == {SEEN[mode][queue]: frames}
        assert s.counted("r").misses == 0


@both_modes
def test_a_rule_for_some_queues(lab: Lab, mode: str) -> None:
    text = rule("r", "{rxQueues: '1-7'}", "{type: Device, device: {name: p1}}")
    with switch(lab, mode, queues=QUEUES) as s:
        s.apply(redirect(text))
        led(s, {0: "stack", 1: "p1"})
