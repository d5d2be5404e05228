"""CPUs: the flow hash names the CPU, and the CPUMAP program does what comes then."""

import pytest
from scapy.layers.inet import UDP
from scapy.packet import Packet as Layers

from tests.kernel.cpu_counter import CPUS, CpuCounter, pinned
from tests.kernel.lab import Lab
from tests.kernel.switch import (
    CATCH_ALL,
    Switch,
    both_modes,
    redirect,
    rule,
    switch,
    to_port,
    udp,
)
from tests.spec.flowhash import slot
from tests.spec.frames import ethernet, ip4, ip6
from tests.spec.tunnels import TUNNELS, gtp
from xdpredirect.api.action import SpreadBy
from xdpredirect.datapath.spread import assign, rotate
from xdpredirect.kernel.maps import pinned_map

N = 24
EVERY = f"'0-{CPUS - 1}'"


def flow(n: int) -> Layers:
    """IP and UDP of one of many flows, of both families in turn."""
    ip, net = ((ip4, "192.0.2."), (ip6, "2001:db8::"))[n % 2]
    return ip(f"{net}{n}", f"{net}{100 + n}") / UDP(sport=n, dport=9)


FLOWS = [ethernet(flow(n)) for n in range(1, N)]
TUNNELLED = [TUNNELS["VXLAN"](flow(n)) for n in range(1, N)] + [
    gtp(n, flow(1)) for n in range(1, N)
]


def cpus(fields: str, on_miss: str = "Pass", **spec: object) -> str:
    """An object that spreads everything over CPUs."""
    return redirect(
        rule("r", CATCH_ALL, f"{{type: CPUs, cpus: {{{fields}}}, onMiss: {on_miss}}}"), **spec
    )


def taken(s: Switch, frames: list[bytes]) -> dict[int, list[bytes]]:
    """Sends frames from CPU 0; those that the stack took, by CPU."""
    with CpuCounter(s.near["in"]) as counter, pinned(0):
        s.far["in"].send(frames)
        return counter.read(len(frames))


def by_cpu(frames: list[bytes], chosen: list[int]) -> dict[int, list[bytes]]:
    """Frames in their order, by the CPU chosen for each."""
    pairs = list(zip(frames, chosen, strict=True))
    return {cpu: [f for f, c in pairs if c == cpu] for cpu in sorted(set(chosen))}


@both_modes
@pytest.mark.parametrize("spread_by", ["Flow", "InnerFlow", "SourceIP", "DestinationIP"])
@pytest.mark.parametrize("choice", [f"set: {EVERY}", "auto: {}"])
def test_the_hash_chooses_the_cpu(lab: Lab, mode: str, spread_by: str, choice: str) -> None:
    names = [str(cpu) for cpu in range(CPUS)]
    wanted = assign([(name, 1) for name in names], frozenset(names))
    frames = FLOWS + TUNNELLED
    chosen = [int(wanted[slot(f, SpreadBy(spread_by))] or -1) for f in frames]
    with switch(lab, mode) as s:
        s.apply(cpus(f"{choice}, spreadBy: {spread_by}"))
        assert taken(s, frames) == by_cpu(frames, chosen)
        counters = s.counted("r")
        assert (counters.packets, counters.misses) == (len(frames), 0)
    assert len(set(chosen)) == CPUS


@both_modes
def test_round_robin_takes_turns(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(cpus(f"set: {EVERY}, spreadBy: RoundRobin"))
        turns = rotate([str(cpu) for cpu in range(CPUS)])
        # The first frame is number one of its CPU, so it takes slot 1.
        chosen = [int(turns[n % 256] or -1) for n in range(1, N)]
        assert taken(s, FLOWS) == by_cpu(FLOWS, chosen)


@both_modes
@pytest.mark.parametrize("choice", ["set: '{cpu}'", "set: '{cpu},200-203'"])
@pytest.mark.parametrize("cpu", range(CPUS))
def test_one_cpu_of_a_set_takes_all(lab: Lab, mode: str, cpu: int, choice: str) -> None:
    # CPUs that the machine does not have take no share.
    with switch(lab, mode) as s:
        s.apply(cpus(choice.format(cpu=cpu)))
        assert taken(s, FLOWS) == {cpu: FLOWS}
        assert s.interface().rules[0].targets == (f"cpu {cpu}",)


@both_modes
def test_auto_with_a_count_takes_the_first_cpus(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(cpus("auto: {count: 1}"))
        assert taken(s, FLOWS) == {0: FLOWS}


@both_modes
@pytest.mark.parametrize("size", [1, 192, 16384])
def test_the_queue_has_the_size_that_was_asked_for(lab: Lab, mode: str, size: int) -> None:
    with switch(lab, mode) as s:
        s.apply(cpus(f"set: '0', queueSize: {size}"))
        (path,) = s.dut.bpffs.rglob("map-cpumap0")
        with pinned_map(path) as opened:
            (value,) = opened.items().values()
        assert int.from_bytes(value[:4], "little") == size
        # One frame at a time fits into any queue.
        for frame in FLOWS[:5]:
            assert taken(s, [frame]) == {0: [frame]}


@both_modes
def test_what_comes_then(lab: Lab, mode: str) -> None:
    tagged = "[{name: tagged, select: [{names: [p2]}], rewrite: {vlan: {operation: Push, id: 5}}}]"
    then = {
        1: "{type: Pass}",
        2: "{type: Drop}",
        3: "{type: Device, device: {name: p1}}",
        4: "{type: Device, device: {name: tagged}}",
        # A device that is not there leaves the frame to the stack.
        5: "{type: Device, device: {name: gone}}",
    }
    with switch(lab, mode) as s:
        s.apply(
            redirect(
                *(
                    rule(
                        f"r{n}",
                        to_port(n),
                        f"{{type: CPUs, cpus: {{set: {EVERY}, then: {text}}}}}",
                    )
                    for n, text in then.items()
                ),
                devices=tagged,
            )
        )
        # Equal frames are one flow, so they keep their order.
        frames = {n: [udp(n)] * N for n in then}
        found = s.deliver(frames[1], stack=N)
        assert found["stack"] == frames[1]
        s.deliver(frames[2])
        assert s.deliver(frames[3], p1=N)["p1"] == frames[3]
        dressed = udp(4)[:12] + b"\x81\x00\x00\x05" + udp(4)[12:]
        assert s.deliver(frames[4], p2=N)["p2"] == [dressed] * N
        assert s.deliver(frames[5], stack=N)["stack"] == frames[5]
        for n in then:
            assert (s.counted(f"r{n}").packets, s.counted(f"r{n}").misses) == (N, 0)
