"""`xdpredirect monitor --all-programs`: what other people's programs do, and nothing of it stays.

Other programs of the machine may run at the same time, so only the devices of the lab count.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.bytecode import XDP_PASS, attached, redirect_map, redirect_to, verdict
from tests.kernel.lab import Host, Lab, bpf_ids
from tests.kernel.monitoring import monitor, once
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.kernel.events import SUCCESS, TRACEPOINTS
from xdpredirect.kernel.maps import Map, create_map, map_id

N = 1000
FRAME = b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5" + bytes(46)
XDP_MADE_UP = 9


def of(value: Any, tracepoint: str, host: Host) -> list[Mapping[str, Any]]:
    """The events of one tracepoint whose frames arrived on this host."""
    netns = host.path.stat().st_ino
    return [e for e in value["events"] if e["tracepoint"] == tracepoint and e["netns"] == netns]


@contextlib.contextmanager
def filled(kind: MapType, value: bytes, host: Host) -> Iterator[Map]:
    """A redirect map of the test's own with one entry."""
    with create_map(MapSpec("theirs", kind, 4, 8, 4)) as made:
        with host.enter():
            made.put(U32.pack(0), value)
        yield made


def test_a_foreign_program_that_redirects_to_a_downed_device(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    p2, _ = lab.veth(("dut", "p2"), ("b", "eth0"))
    with filled(MapType.DEVMAP, PAIR.pack(p2.ifindex, 0), dut) as devices:
        number = map_id(devices.fd)
        dut.ip("link", "set", "p2", "down")
        with attached(p1, redirect_map(devices.fd)):
            value = once(dut, "--all-programs", traffic=lambda: source.send([FRAME] * N))
    (event,) = of(value, "xdp_redirect_err", dut)
    assert (event["errno"], event["events"]) == ("ENETDOWN", N)
    assert (event["map"], event["mapName"], event["key"]) == (number, "theirs", 0)
    assert (event["origin"], event["target"], event["programName"]) == ("p1", "p2", "test")
    assert value["tracepoints"]["xdp_redirect_err"] >= N
    assert not set(value["tracepoints"]) & set(SUCCESS)


def test_success_only_when_asked_for_and_bulks_with_their_size(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    p2, far = lab.veth(("dut", "p2"), ("b", "eth0"))

    def traffic() -> None:
        with far.counter() as arrived:
            source.send([FRAME] * N)
            arrived.exactly(N)

    with attached(p1, redirect_to(p2.ifindex)):
        value = once(dut, "--all-programs", "--success", traffic=traffic)
    (event,) = of(value, "xdp_redirect", dut)
    assert (event["events"], event["origin"], event["map"]) == (N, "p1", 0)
    (sent,) = of(value, "xdp_devmap_xmit", dut)
    assert (sent["packets"], sent["drops"], sent["errno"]) == (N, 0, "")
    assert (sent["origin"], sent["target"]) == ("p1", "p2")
    assert N / 16 <= sent["events"] <= N


def test_drops_at_the_device_by_errno_and_pair(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    p2, far = lab.veth(("dut", "p2"), ("b", "eth0"))
    far.host.ip("link", "set", "eth0", "down")
    with attached(p1, redirect_to(p2.ifindex)):
        value = once(dut, "--all-programs", traffic=lambda: source.send([FRAME] * N))
    (event,) = of(value, "xdp_devmap_xmit", dut)
    assert (event["packets"], event["drops"], event["errno"]) == (0, N, "ENXIO")


def test_verdicts_that_are_none(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    for code, name in ((0, "ABORTED"), (XDP_MADE_UP, str(XDP_MADE_UP))):
        with attached(p1, verdict(code)):
            value = once(dut, "--all-programs", traffic=lambda: source.send([FRAME] * 10))
        (event,) = of(value, "xdp_exception", dut)
        assert (event["verdict"], event["events"], event["origin"]) == (name, 10, "p1")


def test_frames_for_another_cpu_on_both_sides_of_the_queue(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))

    def traffic() -> None:
        with p1.counter() as arrived:
            source.send([FRAME] * N)
            arrived.exactly(N)
        time.sleep(1.0)  # The thread counts a batch after it has handed it to the stack.

    with filled(MapType.CPUMAP, PAIR.pack(2048, 0), dut) as cpus:
        with attached(p1, redirect_map(cpus.fd)):
            value = once(dut, "--all-programs", traffic=traffic)
        number = map_id(cpus.fd)
    mine = [e for e in value["events"] if e["map"] == number]
    handed = [e for e in mine if e["tracepoint"] == "xdp_cpumap_enqueue"]
    taken = [e for e in mine if e["tracepoint"] == "xdp_cpumap_kthread"]
    assert sum(e["packets"] for e in handed) == sum(e["packets"] for e in taken) == N
    assert {e["target"] for e in mine} == {"cpu 0"}
    assert {e["mapName"] for e in mine} == {"theirs"}
    assert sum(e["drops"] for e in mine) == 0


def test_what_goes_back_where_it_came_from(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    with attached(source, verdict(XDP_PASS)), attached(p1, verdict(3)):
        value = once(dut, "--all-programs", traffic=lambda: source.send([FRAME] * 100))
    events = of(value, "xdp_bulk_tx", dut)
    assert (sum(e["packets"] for e in events), events[0]["origin"]) == (100, "p1")


def test_devices_of_other_namespaces_are_told_apart(lab: Lab) -> None:
    here, there = lab.host("here"), lab.host("there")
    p1, source = lab.veth(("there", "p1"), ("a", "eth0"))
    with attached(p1, verdict(0)):
        value = once(here, "--all-programs", traffic=lambda: source.send([FRAME] * 10))
        (event,) = of(value, "xdp_exception", there)
        assert event["origin"] == f"p1@{there.netns}"
        shown = monitor(here, "--all-programs", "--once", traffic=lambda: source.send([FRAME] * 10))
    assert f"p1@{there.netns}" in " ".join(shown.split())
    assert "ABORTED (verdict)" in shown


def test_every_tracepoint_that_the_kernel_has_is_attached(lab: Lab, tmp_path: Path) -> None:
    value = once(lab.host("dut"), "--all-programs", "--success", traffic=lambda: None)
    subprocess.run(["mount", "-t", "tracefs", "tracefs", str(tmp_path)], check=True)
    try:
        there = {path.name for path in (tmp_path / "events/xdp").iterdir() if path.is_dir()}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert set(value["tracepoints"]) == there
    assert there <= set(TRACEPOINTS)


def test_three_capabilities_are_enough_and_cost_the_names_of_maps(lab: Lab) -> None:
    dut = lab.host("dut")
    p1, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    p2, _ = lab.veth(("dut", "p2"), ("b", "eth0"))
    command = ["setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon", "--no-new-privs"]
    command += [sys.executable, "-m", "xdpredirect", "monitor", "--all-programs", "-o", "json"]
    command += ["--interval", "0.3"]
    with filled(MapType.DEVMAP, PAIR.pack(p2.ifindex, 0), dut) as devices:
        dut.ip("link", "set", "p2", "down")
        with (
            attached(p1, redirect_map(devices.fd)),
            dut.running(command, env={"PYTHONPATH": "operator"}) as process,
        ):
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            source.send([FRAME] * N)
            seen: list[Any] = []
            for _ in range(100):
                seen += of(json.loads(process.stdout.readline()), "xdp_redirect_err", dut)
                if sum(event["events"] for event in seen) >= N:
                    break
    assert not of(first, "xdp_redirect_err", dut)
    assert sum(event["events"] for event in seen) == N
    assert {(e["programName"], e["mapName"], e["target"]) for e in seen} == {("test", "", "p2")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_however_it_ends(lab: Lab, number: signal.Signals) -> None:
    dut = lab.host("dut")
    pins = dut.pins()
    command = [sys.executable, "-m", "xdpredirect", "monitor", "--all-programs", "-o", "json"]
    command += ["--interval", "0.2"]
    with dut.running(command, env={"PYTHONPATH": "operator"}) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("{")
        held = [o for o in bpf_ids.objects() if o.name.startswith("xdp_")]
        assert held
        os.kill(process.pid, number)
        code = process.wait(60)
    assert code == (-9 if number is signal.SIGKILL else 130)
    assert dut.pins() == pins
