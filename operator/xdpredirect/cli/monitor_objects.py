"""Intervals of the objects of this machine, out of the kernel. Called by `cli.monitor`."""

from collections.abc import Iterator

from xdpredirect.agent.counters import read_cpus
from xdpredirect.agent.pins import Pins
from xdpredirect.agent.rates import Look, ObjectInterval, interval
from xdpredirect.cli.runtime import Runtime
from xdpredirect.cli.status import observe
from xdpredirect.settings import Settings


def object_intervals(
    runtime: Runtime, settings: Settings, names: tuple[str, ...], seconds: float
) -> Iterator[ObjectInterval]:
    """One interval of about `seconds` after the other, without end.

    Raises InvalidInput for a name that is not here, KernelError when the kernel cannot be read.
    """
    before = look(runtime, settings, names)
    while True:
        runtime.sleep(seconds)
        after = look(runtime, settings, names)
        yield interval(before, after, runtime.timestamp())
        before = after


def look(runtime: Runtime, settings: Settings, names: tuple[str, ...]) -> Look:
    """The counters now. Those of rules are read last: a frame that is counted as lost was counted
    as matched before."""
    report, _ = observe(runtime, settings, names)
    pins = Pins(settings.bpffs)
    cpus = {
        (item.name, *rule): counters
        for item in report.interfaces
        for rule, counters in read_cpus(pins, item.name).items()
    }
    return Look(at=runtime.monotonic(), report=report, cpus=cpus)
