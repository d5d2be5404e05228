"""How long the agent takes, and what it costs while nothing happens. Called by `__main__`."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from tests.bench import documents, objects
from tests.bench.process import cpu_seconds, resident
from tests.bench.sample import Samples
from tests.kernel.lab import Host, Lab
from xdpredirect.agent.act import Actor
from xdpredirect.agent.actions import Action, Attach, Swap
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.datapath.addressindex import IndexShape, build_index
from xdpredirect.datapath.mapspec import NO_PREALLOC, MapSpec, MapType
from xdpredirect.kernel.maps import create_map
from xdpredirect.settings import Settings

RULES = 8


def converging(rounds: int) -> Samples:
    """Milliseconds from the changed objects to the swap: compiled, from the cache, and a pass that
    finds nothing to do. The agent is warm; its store is its own."""
    samples: Samples = {"cold": [], "cached": [], "nothing": []}
    with Lab() as lab:
        host = _host(lab)
        cache = host.state_dir / "cache"
        agent = MachineAgent(_settings(host))
        _pass(host, agent, 0)
        for number in range(1, rounds + 1):
            shutil.rmtree(cache)
            samples["cold"].append(_pass(host, agent, number))
            _pass(host, agent, 0)
            samples["cached"].append(_pass(host, agent, number))
            samples["nothing"].append(_pass(host, agent, number))
    return samples


def _host(lab: Lab) -> Host:
    """A host with p1 and p2 and a directory for pins."""
    lab.veth(("dut", "p1"), ("gen", "e0"))
    lab.veth(("dut", "p2"), ("sink", "e0"))
    host = lab.host("dut")
    (host.bpffs / "xdpredirect").mkdir()
    return host


def _settings(host: Host) -> Settings:
    return Settings(
        bpffs=host.bpffs / "xdpredirect",
        state_dir=host.state_dir,
        files=host.state_dir / "objects",
    )


def _pass(host: Host, agent: MachineAgent, variant: int) -> float:
    """Milliseconds from the changed objects of that number to the swap, or of the whole pass when
    nothing had to be swapped."""
    rules = documents.five_tuples(RULES, objects.FIRST_PORT + variant)
    agent.store.put([documents.redirect(rules)])
    actor, swapped = agent._actor, [0.0]
    perform = actor.perform

    def noting(action: Action) -> None:
        perform(action)
        if isinstance(action, Swap | Attach):
            swapped[0] = time.perf_counter()

    with host.enter(), mock.patch.object(Actor, "perform", lambda _, action: noting(action)):
        began = time.perf_counter()
        outcome = agent.converge()
        took = (swapped[0] or time.perf_counter()) - began
    if outcome.failures:
        raise RuntimeError("; ".join(outcome.failures))
    return took * 1000


def loading(rounds: int) -> Samples:
    """Milliseconds to fill a trie with 100,000 networks, two sets of 50,000 (`fill`); to work out
    its content (`index`); and of whole passes that take up both sets (`pass`) and that take out one
    network of them (`change`)."""
    sets = objects.address_sets(2 * objects.SET_SIZE)
    samples: Samples = {"index": [], "fill": [], "pass": [], "change": []}
    for _ in range(rounds):
        shape = IndexShape(1, 0)
        began = time.perf_counter()
        four, _six = build_index(shape, [sets[0].cidrs + sets[1].cidrs], [])
        built = time.perf_counter()
        spec = MapSpec("lpm4", MapType.LPM_TRIE, 8, shape.entry_size, 1 << 20, NO_PREALLOC)
        with create_map(spec) as trie:
            trie.put_all(four)
            filled = time.perf_counter()
        samples["index"].append((built - began) * 1000)
        samples["fill"].append((filled - built) * 1000)
    with Lab() as lab:
        host = _host(lab)
        agent = MachineAgent(_settings(host))
        made: list[Any] = [documents.address_set(one) for one in sets]
        rule = documents.redirect(documents.from_sets(*(one.name for one in sets)))
        agent.store.put([*made, rule])
        samples["pass"].append(_converge(host, agent))
        made[0]["spec"]["cidrs"].pop()
        agent.store.put(made)
        samples["change"].append(_converge(host, agent))
    return samples


def _converge(host: Host, agent: MachineAgent) -> float:
    with host.enter():
        began = time.perf_counter()
        outcome = agent.converge()
        took = (time.perf_counter() - began) * 1000
    if outcome.problems or outcome.failures:
        raise RuntimeError("; ".join((*outcome.problems, *outcome.failures)))
    return took


def idling(settle: float, watched: float) -> Samples:
    """MiB of memory and per cent of a core that `xdpredirect agent --files` takes with one object,
    `settle` seconds after its start, over `watched` seconds."""
    with Lab() as lab:
        host = _host(lab)
        files = host.state_dir / "files"
        files.mkdir()
        content = yaml.safe_dump(documents.redirect(documents.five_tuples(RULES)))
        (files / "bench.yaml").write_text(content)
        argv = [sys.executable, "-m", "xdpredirect", "agent", "--files", str(files)]
        with host.running(argv) as process:
            time.sleep(settle)
            before = cpu_seconds(process.pid)
            if "prog/xdp" not in host.ip("link", "show", "dev", "p1"):
                raise RuntimeError("the agent attached nothing")
            time.sleep(watched)
            used = cpu_seconds(process.pid) - before
            memory = resident(process.pid)
    return {"rss": [memory], "cpu": [100 * used / watched]}


def starting(rounds: int) -> Samples:
    """Milliseconds of a whole `xdpredirect apply` of an object that is there already, and of
    `xdpredirect --version`, interpreter included."""
    samples: Samples = {"apply": [], "version": []}
    with Lab() as lab, _file(_host(lab)) as path:
        host = lab.host("dut")
        command = [sys.executable, "-m", "xdpredirect"]
        host.run([*command, "apply", "-f", str(path)])
        for _ in range(rounds):
            for name, words in (("apply", ["apply", "-f", str(path)]), ("version", ["--version"])):
                began = time.perf_counter()
                host.run([*command, *words])
                samples[name].append((time.perf_counter() - began) * 1000)
        host.run([*command, "delete", "--all"])
    return samples


@contextlib.contextmanager
def _file(host: Host) -> Iterator[Path]:
    path = host.state_dir / "bench.yaml"
    path.write_text(yaml.safe_dump(documents.redirect(documents.five_tuples(RULES))))
    yield path
