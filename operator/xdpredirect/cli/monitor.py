"""`xdpredirect monitor`: what moves and what is lost, interval after interval."""

import json
import platform
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from xdpredirect import __version__
from xdpredirect.agent.host_rates import HostInterval
from xdpredirect.agent.recording import Header, Interval, Recorder, interval_data, replay
from xdpredirect.cli.exits import DONE, EXIT_CODES, say
from xdpredirect.cli.monitor_options import monitor_options
from xdpredirect.cli.options import GENERAL, output_option, settings_options
from xdpredirect.cli.runtime import Runtime
from xdpredirect.errors import InvalidInput
from xdpredirect.settings import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from xdpredirect.cli.watch import Screen


class MonitorOptions(TypedDict):
    """Options of `monitor`, by parameter name."""

    names: tuple[str, ...]
    interval: float
    once: bool
    rounds: int
    all_programs: bool
    success: bool
    record: Path | None
    replay: Path | None
    speed: float
    output: str


@click.command(epilog=EXIT_CODES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@monitor_options
@output_option
@settings_options(*GENERAL)
@click.pass_obj
def monitor(runtime: Runtime, /, settings: Settings, **options: Unpack[MonitorOptions]) -> int:
    """Show frames a second for every interface and rule: matched, redirected, lost and why.

    Ends with Ctrl-C. Changes nothing; with --all-programs it counts every xdp tracepoint of the
    machine for as long as it runs, and takes that away again.
    """
    _check(options)
    rounds = 1 if options["once"] else options["rounds"]
    with ExitStack() as stack:
        stack.enter_context(_terminated_as_interrupted())
        intervals = stack.enter_context(closing(_source(runtime, settings, options)))
        recorder = _recorder(stack, runtime, options)
        show = _Show(stack, options, rounds)
        for number, interval in enumerate(intervals, 1):
            if recorder is not None:
                recorder.write(interval)
            show(interval)
            if number == rounds:
                break
    return DONE


def _check(options: MonitorOptions) -> None:
    """Raises InvalidInput for options that cannot be together."""
    problems = []
    if options["replay"] is not None:
        others = {
            "--all-programs": options["all_programs"],
            "--success": options["success"],
            "--record": options["record"] is not None,
            "NAME": bool(options["names"]),
        }
        problems += [f"{name}: not with --replay" for name, given in others.items() if given]
    elif options["all_programs"] and options["names"]:
        problems.append("NAME: not with --all-programs, which knows no objects; leave one out")
    elif options["success"] and not options["all_programs"]:
        problems.append("--success: only with --all-programs; rules count their frames anyway")
    if problems:
        raise InvalidInput(tuple(problems))


def _source(
    runtime: Runtime, settings: Settings, options: MonitorOptions
) -> Generator[Interval, None, None]:
    """The intervals to show; imported late, because --help and --replay need no kernel layer."""
    if options["replay"] is not None:
        yield from _replayed(runtime, options["replay"], options["speed"])
    elif options["all_programs"]:
        from xdpredirect.cli.monitor_host import host_intervals  # noqa: PLC0415

        if options["success"]:
            say("--success: every redirected frame is counted, which costs about 80 ns each")
        # Closed with this generator, so that nothing stays attached.
        with closing(
            host_intervals(runtime, settings, options["success"], options["interval"])
        ) as intervals:
            yield from intervals
    else:
        from xdpredirect.cli.monitor_objects import object_intervals  # noqa: PLC0415

        yield from object_intervals(runtime, settings, options["names"], options["interval"])


def _replayed(runtime: Runtime, path: Path, speed: float) -> Iterator[Interval]:
    """A recording at its own pace times `speed`; 0 is as fast as possible."""
    header, intervals = replay(path)
    say(f"{header.host}, Linux {header.kernel}, recorded {header.time}")
    for interval in intervals:
        if speed:
            runtime.sleep(interval.seconds / speed)
        yield interval


def _recorder(stack: ExitStack, runtime: Runtime, options: MonitorOptions) -> Recorder | None:
    if options["record"] is None:
        return None
    header = Header(
        version=__version__,
        time=runtime.timestamp(),
        host=platform.node(),
        kernel=platform.release(),
        interval=options["interval"],
        objects=options["names"],
    )
    return Recorder(stack.enter_context(options["record"].open("w", encoding="utf-8")), header)


class _Show:
    """Puts intervals on standard output: pictures, JSON lines or YAML documents. One alone is a
    JSON document with line breaks."""

    def __init__(self, stack: ExitStack, options: MonitorOptions, rounds: int) -> None:
        self._output, self._alone = options["output"], rounds == 1
        self._screen: Screen | None = None
        if self._output == "table":
            from xdpredirect.cli import watch  # noqa: PLC0415 - rich, only to print

            self._screen = stack.enter_context(watch.Screen("" if self._alone else "table"))
            if sys.stdout.isatty() and not self._alone:
                self._screen.draw(["Counting; the first picture comes after one interval."])

    def __call__(self, interval: Interval) -> None:
        if self._screen is not None:
            self._screen.draw(_parts(interval))
            return
        from xdpredirect.cli.console import print_data  # noqa: PLC0415 - rich, only to print

        data = interval_data(interval)
        if self._alone:
            print_data(data, self._output)
        elif self._output == "json":
            click.echo(json.dumps(data, ensure_ascii=False))
        else:
            click.echo("---")
            print_data(data, self._output)
        sys.stdout.flush()


def _parts(interval: Interval) -> "list[RenderableType]":
    from xdpredirect.cli.console import console  # noqa: PLC0415 - rich, only to print
    from xdpredirect.cli.monitor_events import host_parts  # noqa: PLC0415
    from xdpredirect.cli.monitor_tables import interval_parts  # noqa: PLC0415

    if isinstance(interval, HostInterval):
        return host_parts(interval)
    return interval_parts(interval, console().width)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the command the way Ctrl-C does: terminal, recording and kernel in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
