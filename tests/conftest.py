"""Rules for every suite: how Hypothesis searches, and that CI knows no skipped test.

And the one fixture that several suites share: a cluster of real kubelets costs half a minute.
"""

import gc
import os
import signal
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.kernel.lab.sweep import sweep
from tests.node import leftovers
from tests.node.machines import Machines

hypothesis.settings.register_profile("default", deadline=None, derandomize=True)
hypothesis.settings.load_profile("default")

# A shell that runs us in the background has us ignore it, and so would every process we start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What 4,000 collected tests hold is there until the end. Looking through it was half of the
    time of tests/kernel, which collect garbage around each test to see what it left behind.
    """
    gc.collect()
    gc.freeze()


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test failed, and says why it was skipped; an expected failure stays one."""
    report = yield
    if report.skipped and _in_ci() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {_skip_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that skips itself while it is read."""
    report = yield
    if report.skipped and _in_ci():
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid}: skipped in CI: {_skip_reason(report)}"
    return report


@pytest.fixture(scope="session")
def machine_cluster() -> Iterator[Machines]:
    """Two nodes with real kubelets, the same for tests/node and tests/gitops. Nothing of ours is
    installed; what a test installs it removes again.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces, cgroups; run `sudo make test-node`")
    sweep()
    leftovers.sweep()
    # Of clusters that other fixtures of this run keep.
    others = set(leftovers.left(os.getpid()))
    with Machines("node-1", "node-2") as made:
        yield made
    left = [item for item in leftovers.left(os.getpid()) if item not in others]
    assert not left, f"left behind: {left}"
