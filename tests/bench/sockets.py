"""AF_XDP sockets that the agent hands out: frames a second beside xdp-bench xsk-drop, how long it
takes to get one, and what one costs the agent. Called by `__main__`.
"""

import contextlib
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import yaml

from tests.bench import bare, documents, objects, peer
from tests.bench.process import resident
from tests.bench.sample import Samples, Spread, ratios, spread, take_turns
from tests.bench.testrun import on_cpu
from tests.kernel.lab import Host, Lab, Port
from tests.kernel.memory_cgroup import MemoryCgroup, memory_cgroup
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.client import connect

TURN = 1 << 17
"""Frames a turn: some 100 ms."""
DRAIN_SECONDS, PATIENCE_SECONDS, RELEASING_SECONDS = 0.005, 60.0, 2.0
READER_CPU = 1
GRANTS = 16
"""Sockets at once: as many connections as one user may have."""
# As ours: it sleeps while nothing comes, and copies into frames of 2048 octets.
XSK_DROP = ["xsk-drop", "p1", "-p", "-q", "0", "-C", "copy", "-f", "2048", "-i", "1"]
_REDIRECTED = re.compile(r"rx_queue_0_xdp_redirect: (\d+)")
_MILLISECONDS, _KIB = 1e3, 1024


def measure(rounds: int, builds: int, takes: int) -> dict[str, Spread]:
    """Ratio, milliseconds and KiB by name of figure."""
    samples: Samples = {"ours": [], "peer": []}
    for _ in range(builds):
        for name, values in _frames(rounds).items():
            samples[name] += values
    with Lab() as lab:
        host = lab.veth(("dut", "p1"), ("gen", "e0"), queues=GRANTS)[0].host
        queues = f"0-{GRANTS - 1}"
        with memory_cgroup() as cgroup, _agent(host, queues, *cgroup.join) as agent:
            handshake = [_take(host, number % GRANTS) for number in range(takes)]
            # Those are given back, which the broker sees a quarter of a second later.
            time.sleep(RELEASING_SECONDS)
            memory = _memory(host, agent, cgroup)
    return {
        "sockets.frames": ratios(samples, "ours", "peer"),
        "sockets.handshake": spread(handshake),
        "sockets.agent": spread([memory["agent"]]),
        "sockets.rss": spread([memory["rss"]]),
        "sockets.umem": spread([memory["umem"]]),
        "sockets.cgroup": spread([memory["cgroup"]]),
    }


def _frames(rounds: int) -> Samples:
    """Frames a second that reach the sockets, turn and turn about."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(peer.mounted())
        lab = stack.enter_context(Lab())
        streets = {name: lab.veth((name, "p1"), (f"{name}-gen", "e0")) for name in ("ours", "peer")}
        ours = streets["ours"][0].host
        stack.enter_context(_agent(ours, "0"))
        # What a process is started with it keeps: neither reader is on the sender's CPU.
        with on_cpu(READER_CPU):
            stack.enter_context(_draining(ours))
            stack.enter_context(peer.xdp_bench(streets["peer"][0].host, "p1", XSK_DROP))
        senders = {
            name: stack.enter_context(bare.redirect_to(source.ifindex))
            for name, (_, source) in streets.items()
        }
        return take_turns(
            {
                name: lambda name=name: _turn(*streets[name], senders[name])  # type: ignore[misc]
                for name in streets
            },
            rounds,
        )


def _turn(arrival: Port, source: Port, program: int) -> float:
    """Frames a second that a socket took while CPU 0 sends as fast as it can: those that found it
    full are not among them."""
    with source.host.enter(), on_cpu(0):
        before, began = _redirected(arrival), time.perf_counter()
        bare.send(program, objects.frame(), TURN)
        took = time.perf_counter() - began
    time.sleep(DRAIN_SECONDS)
    arrived = _redirected(arrival) - before
    if not arrived:
        raise RuntimeError(f"no frame reached the socket of {arrival.host.name}")
    return arrived / took


def _redirected(arrival: Port) -> int:
    """As the driver counts them: both programs do nothing else with a frame."""
    found = _REDIRECTED.search(arrival.host.ethtool("-S", arrival.name))
    if found is None:
        raise RuntimeError(f"{arrival.name} does not count redirected frames")
    return int(found[1])


@contextlib.contextmanager
def _agent(host: Host, queues: str, *before: str) -> Iterator[Popen[str]]:
    """An agent whose object hands out `queues` of p1 to root, until the end of the block; run by
    the command `before`."""
    files = host.state_dir / "files"
    files.mkdir()
    handed = {"queues": queues, "copyMode": "Copy", "clients": [{"type": "Users", "users": ["0"]}]}
    action = {"type": "Sockets", "sockets": handed}
    rule = {"name": "all", "match": {"all": True}, "action": action}
    (files / "bench.yaml").write_text(yaml.safe_dump(documents.redirect([rule])))
    quiet = ["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh"]
    argv = [sys.executable, "-m", "xdpredirect", "agent", "--files", str(files)]
    with host.running([*quiet, *before, *argv]) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (host.state_dir / "sockets" / "broker.sock").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the agent hands out nothing")
            time.sleep(0.05)
        yield process


@contextlib.contextmanager
def _draining(host: Host) -> Iterator[None]:
    directory = str(host.state_dir / "sockets")
    with host.running([sys.executable, "-m", "tests.bench.drain", directory, "p1"]) as process:
        assert process.stdout is not None
        if (said := process.stdout.readline()) != "taken\n":
            raise RuntimeError(f"drain: {said}{process.stdout.read()}")
        yield


def _take(host: Host, queue: int) -> float:
    """Milliseconds from connect() to rings that frames come into, once the queue is free."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        began = time.perf_counter()
        try:
            with connect(host.state_dir / "sockets", "p1", queue):
                return (time.perf_counter() - began) * _MILLISECONDS
        except SocketRefused:
            if time.monotonic() > deadline:
                raise


def _memory(host: Host, agent: Popen[str], cgroup: MemoryCgroup) -> dict[str, float]:
    """KiB for one socket of 2048 frames: of the agent's resident memory, of the machine's shared
    memory, where its UMEM is, and of what counts for the agent's cgroup. And MiB that the agent has
    in all."""
    before = _taken(agent, cgroup)
    with contextlib.ExitStack() as stack:
        for queue in range(GRANTS):
            stack.enter_context(connect(host.state_dir / "sockets", "p1", queue))
        after = _taken(agent, cgroup)
    found = {name: (after[name] - before[name]) / GRANTS for name in before}
    return {**found, "rss": after["agent"] / _KIB}


def _taken(agent: Popen[str], cgroup: MemoryCgroup) -> dict[str, float]:
    return {
        "agent": resident(agent.pid) * _KIB,
        "umem": _shared(),
        "cgroup": cgroup.usage() / _KIB,
    }


def _shared() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("Shmem:"))
