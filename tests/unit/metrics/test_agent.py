"""The agent's metrics: a report as samples, what is bounded, and the page."""

import os
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.samples import busy, loss, thing
from tests.unit.metrics.exposed import values
from xdpredirect.agent import loop
from xdpredirect.agent.actions import Attach, LoadProgram
from xdpredirect.agent.exporter import serving
from xdpredirect.agent.metrics import CATALOGUE, LIMIT, Standing, samples
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.passes import Passes
from xdpredirect.agent.report import Report
from xdpredirect.errors import CompileError, InvalidInput, Locked, XdpRedirectError
from xdpredirect.kernel.compile import Compiler, Spent
from xdpredirect.settings import Settings


def told(report: Report) -> dict[tuple[Any, ...], float]:
    return values(CATALOGUE, samples(Standing(version="1", passes=Passes(report=report))))


def of(name: str, **labels: str) -> tuple[Any, ...]:
    return (f"xdpredirect_agent_{name}", *sorted(labels.items()))


def test_a_report_as_samples() -> None:
    found = told(busy())
    uplink = {"interface": "ens1f0", "redirect": "edge", "rule": "uplink", "action": "Device"}
    assert found[of("rule_packets_total", **uplink)] == 1_834_221_094_112
    assert found[of("rule_bytes_total", **uplink)] == 1_200_331_224_001_331
    assert found[of("rule_missed_packets_total", **uplink)] == 12
    assert found[of("rule_failed_packets_total", **uplink)] == 0
    other = {"interface": "ens1f0", "verdict": "unmatched"}
    assert found[of("interface_packets_total", **other)] == 20_311
    assert found[of("interface_bytes_total", **other)] == 1_900_000
    assert found[of("interface_mode", interface="veth-mirror", mode="generic")] == 1
    assert found[of("interface_mode", interface="veth-mirror", mode="native")] == 0
    assert found[of("interface_failed", interface="ens1f0")] == 0
    assert found[of("lost_packets_total", redirect="edge")] == 1_204_551 + 812
    cause = {"redirect": "edge", "rule": "to-b", "reason": "TargetDown", "errno": "ENETDOWN"}
    where = {"interface": "ens1f0", "target": "eth2"}
    assert found[of("loss_packets_total", **cause, **where)] == 1_204_551
    assert found[of("findings", redirect="scrubbing", severity="Stalled")] == 1
    assert found[of("findings", redirect="tap", severity="Stalled")] == 0


def test_an_interface_without_its_program_has_failed() -> None:
    (first, *rest) = busy().interfaces
    found = told(replace(busy(), interfaces=(replace(first, error="no room"), *rest)))
    assert found[of("interface_failed", interface=first.name)] == 1


def test_causes_have_a_bound_and_the_sum_has_none() -> None:
    losses = tuple(loss("TargetDown", n, target=f"veth{n}") for n in range(1, 2 * LIMIT))
    found = told(Report(objects=(thing("edge", losses=losses),), interfaces=()))
    named = [key for key in found if key[0] == "xdpredirect_agent_loss_packets_total"]
    assert len(named) == LIMIT
    assert min(found[key] for key in named) == LIMIT, "those that cost most"
    assert found[of("lost_packets_total", redirect="edge")] == sum(range(1, 2 * LIMIT))


def test_losses_that_are_shared_are_of_no_object_and_foreign_ones_of_nobody() -> None:
    shared = replace(loss("TargetDown", 4), object="", rule="")
    found = told(Report(objects=(), interfaces=(), shared=(shared,), foreign=(shared,)))
    assert found[of("lost_packets_total", redirect="")] == 4


def outcome(*actions: object, failures: tuple[str, ...] = ()) -> Outcome:
    return Outcome(report=busy(), actions=actions, failures=failures)


def test_passes_are_counted_with_what_they_did() -> None:
    passes = Passes()
    load, attach = object.__new__(LoadProgram), object.__new__(Attach)
    passes.done(outcome(load, load, attach), 0.5, 1000.0)
    passes.broken(0.25)
    passes.done(outcome(failures=("eth0: no",)), 0.25, 1030.0)
    found = values(CATALOGUE, samples(Standing(version="1", passes=passes, compilations=3)))
    assert found[of("passes_total", result="done")] == 2
    assert found[of("passes_total", result="failed")] == 1
    assert found[of("pass_seconds_total")] == 1.0
    assert found[of("last_pass_timestamp_seconds")] == 1030.0
    assert found[of("program_loads_total")] == 2
    assert found[of("program_attaches_total")] == 1
    assert found[of("action_failures_total")] == 1
    assert found[of("compilations_total")] == 3


def test_a_compilation_counts_also_when_it_fails(tmp_path: Path) -> None:
    compiler = Compiler("/bin/false", tmp_path)
    with pytest.raises(CompileError):
        compiler.instructions("int x;", "x")
    assert compiler.spent.compilations == 1
    assert compiler.spent.seconds > 0
    assert compiler == Compiler("/bin/false", tmp_path), "what it did is no part of what it is"


class Machine:
    """An agent whose passes end as the test says."""

    def __init__(self, result: Outcome | XdpRedirectError) -> None:
        self.result, self.store = result, self

    def converge(self) -> Outcome:
        if isinstance(self.result, XdpRedirectError):
            raise self.result
        return self.result

    def record(self, *_: object) -> None:
        pass


class Source:
    """Says `there`, and hears what became of it."""

    def __init__(self, there: bool = True) -> None:
        self.there, self.heard = there, list[str]()

    def take(self) -> bool:
        return self.there

    def report(self, _: Outcome) -> None:
        self.heard.append("report")

    def failed(self, words: str) -> None:
        self.heard.append(words)


@pytest.mark.parametrize(
    ("result", "there", "counts"),
    [(outcome(), True, (1, 0)), (Locked("/x", "y"), True, (0, 1)), (outcome(), False, (0, 0))],
)
def test_the_loop_counts_each_pass_as_it_ended(
    result: Any, there: bool, counts: tuple[int, int]
) -> None:
    passes, machine, source = Passes(), Machine(result), Source(there)
    loop._pass(machine, Settings(), source, passes)  # type: ignore[arg-type]
    assert (passes.made, passes.failed) == counts
    assert (passes.report is not None) == (counts == (1, 0))
    assert len(source.heard) == sum(counts)


def test_without_the_option_nothing_is_served_and_nothing_imported() -> None:
    program = (
        "import sys; from xdpredirect.agent import loop, passes; from xdpredirect.settings import "
        "Settings; loop._metrics(Settings(), None, passes.Passes()).__enter__(); "
        "sys.exit(sum(m.startswith(('prometheus', 'http.server')) for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, env=dict(os.environ))
    assert done.returncode == 0


def test_the_page_is_there_as_long_as_the_agent() -> None:
    passes, spent = Passes(), Spent()
    with serving("127.0.0.1:0", passes, spent) as server:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        before = urllib.request.urlopen(url).read().decode()
        assert "rule=" not in before, "no pass was made yet"
        passes.done(outcome(), 0.1, 1.0)
        spent.compilations, spent.seconds = 1, 0.5
        after = urllib.request.urlopen(url).read().decode()
        with (
            pytest.raises(InvalidInput, match="--metrics: cannot listen on 127"),
            serving(f"127.0.0.1:{server.server_port}", passes, spent),
        ):
            pass
    assert 'rule="uplink"' in after
    assert "xdpredirect_agent_compile_seconds_total 0.5" in after
    assert "process_resident_memory_bytes " in after
