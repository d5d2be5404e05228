"""`xdpredirect status`: what is wanted, what runs, and what it counted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from xdpredirect.agent import status as status_json
from xdpredirect.agent.lock import holder
from xdpredirect.agent.report import Report
from xdpredirect.agent.store import Store
from xdpredirect.cli.exits import AT_RISK, DONE, EXIT_CODES, FAILED, say
from xdpredirect.cli.figures import rate
from xdpredirect.cli.options import GENERAL, output_option, settings_options, strict_option
from xdpredirect.cli.runtime import Runtime
from xdpredirect.errors import InvalidInput
from xdpredirect.settings import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType

Sample = tuple[float, Report]


class StatusOptions(TypedDict):
    """Options of `status`, by parameter name."""

    names: tuple[str, ...]
    watch: bool
    interval: float
    rounds: int
    output: str
    strict: bool


@click.command(epilog=EXIT_CODES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-w",
    "--watch",
    is_flag=True,
    envvar="XDPREDIRECT_WATCH",
    show_envvar=True,
    help="look again and again, with packets a second; ends with Ctrl-C",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1,
    show_default=True,
    metavar="SECONDS",
    envvar="XDPREDIRECT_INTERVAL",
    show_envvar=True,
    help="with --watch: time between two looks",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    envvar="XDPREDIRECT_ROUNDS",
    show_envvar=True,
    help="with --watch: end after N looks; 0 goes on",
)
@strict_option
@output_option
@settings_options(*GENERAL)
@click.pass_obj
def status(runtime: Runtime, /, settings: Settings, **options: Unpack[StatusOptions]) -> int:
    """Show objects, interfaces, rules with their counters, and findings with their fix.

    Reads the kernel; needs no running agent and changes nothing.
    """
    if options["watch"]:
        return _watch(runtime, settings, options)
    report, problems = observe(runtime, settings, options["names"])
    if options["output"] == "table":
        _print_tables(report, problems)
    else:
        _print_data(runtime, settings, report, problems, options["output"])
    return _exit_code(report, problems, options["strict"])


def observe(
    runtime: Runtime, settings: Settings, names: tuple[str, ...]
) -> tuple[Report, tuple[str, ...]]:
    """The report, cut down to `names` where some are given, and the problems of broken files.

    Where an agent runs, or ran last, its directory counts: one that has only just started has the
    lock and has not told its directory yet. Raises InvalidInput for a name that is not there.
    """
    owner = holder(settings.state_dir)
    files = (owner and owner.files) or Store(settings.state_dir).other_source()
    if files is not None:
        settings = replace(settings, files=files)
    report = runtime.machine().observe_report(settings)
    problems = Store(settings.state_dir, settings.files).read_all().problems
    if not names:
        return report, problems
    wanted = {name.removeprefix("xdpredirect/") for name in names}
    missing = sorted(wanted - {found.name for found in report.objects})
    if missing:
        there = ", ".join(found.name for found in report.objects) or "no object"
        raise InvalidInput(
            tuple(f"{name}: is not here; this machine has {there}" for name in missing)
        )
    return select(report, wanted), problems


def select(report: Report, wanted: set[str]) -> Report:
    """The part of the report that is about these objects."""
    interfaces = [item for item in report.interfaces if wanted & set(item.objects)]
    return Report(
        objects=tuple(found for found in report.objects if found.name in wanted),
        interfaces=tuple(
            replace(item, rules=tuple(rule for rule in item.rules if rule.object in wanted))
            for item in interfaces
        ),
    )


def rates(before: Sample | None, after: Sample) -> dict[tuple[str, str, str], str]:
    """Packets a second by (interface, object, rule) between two looks; empty at the first."""
    if before is None:
        return {}
    seconds = after[0] - before[0]
    old = dict(_packets(before[1]))
    return {
        key: rate(packets - old[key], seconds)
        for key, packets in _packets(after[1])
        if key in old and packets >= old[key]
    }


def _packets(report: Report) -> list[tuple[tuple[str, str, str], int]]:
    return [
        ((item.name, rule.object, rule.rule), rule.counters.packets)
        for item in report.interfaces
        for rule in item.rules
    ]


def _watch(runtime: Runtime, settings: Settings, options: StatusOptions) -> int:
    from xdpredirect.cli.watch import Screen  # noqa: PLC0415 - rich, only to print

    before: Sample | None = None
    done = 0
    with Screen(options["output"]) as screen:
        while True:
            report, problems = observe(runtime, settings, options["names"])
            now = (runtime.monotonic(), report)
            if options["output"] == "table":
                screen.show(report, problems, rates(before, now), runtime.timestamp())
            else:
                _print_data(runtime, settings, report, problems, options["output"])
            before, done = now, done + 1
            if done == options["rounds"]:
                return _exit_code(report, problems, options["strict"])
            runtime.sleep(options["interval"])


def _print_tables(report: Report, problems: tuple[str, ...]) -> None:
    from xdpredirect.cli.console import console, print_all  # noqa: PLC0415 - rich, only to print
    from xdpredirect.cli.tables import report_parts  # noqa: PLC0415

    parts: list[RenderableType] = report_parts(report, console().width)
    print_all(parts)
    for problem in problems:
        say(f"error: {problem}")


def _print_data(
    runtime: Runtime, settings: Settings, report: Report, problems: tuple[str, ...], output: str
) -> None:
    """The snapshot that status.json would hold, so a program needs to know one shape."""
    from xdpredirect.cli.console import print_data  # noqa: PLC0415 - rich, only to print

    previous: Mapping[str, object] = Store(settings.state_dir).read_status()
    value = status_json.snapshot(report, previous, runtime.timestamp())
    print_data({**value, "problems": list(problems)}, output)


def _exit_code(report: Report, problems: tuple[str, ...], strict: bool) -> int:
    from xdpredirect.cli.results import at_risk  # noqa: PLC0415 - rich, only to print

    if problems or any(item.error for item in report.interfaces):
        return FAILED
    return AT_RISK if strict and at_risk(report) else DONE
