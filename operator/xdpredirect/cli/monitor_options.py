"""Options of `monitor`, each with an environment variable. Called by `cli.monitor`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("--interval",),
        {
            "type": click.FloatRange(0.1, 3600),
            "default": 1,
            "show_default": True,
            "metavar": "SECONDS",
            "help": "length of an interval",
        },
    ),
    (("--once",), {"is_flag": True, "help": "one interval, then end"}),
    (
        ("--rounds",),
        {
            "type": click.IntRange(min=0),
            "default": 0,
            "metavar": "N",
            "help": "end after N intervals; 0 goes on",
        },
    ),
    (
        ("--all-programs",),
        {
            "is_flag": True,
            "help": "every xdp tracepoint of the machine, by program, map, device and CPU",
        },
    ),
    (
        ("--success",),
        {
            "is_flag": True,
            "help": "with --all-programs: count redirected frames too; costs about 80 ns each",
        },
    ),
    (
        ("--record",),
        {
            "type": click.Path(dir_okay=False, path_type=Path),
            "metavar": "FILE",
            "help": "also write every interval to FILE, as JSON lines",
        },
    ),
    (
        ("--replay",),
        {
            "type": click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
            "metavar": "FILE",
            "help": "show a recording; needs no root",
        },
    ),
    (
        ("--speed",),
        {
            "type": click.FloatRange(0, 10000),
            "default": 1,
            "show_default": True,
            "metavar": "FACTOR",
            "help": "with --replay: how fast; 0 does not wait at all",
        },
    ),
)


def monitor_options(function: Command) -> Command:
    """Add them all, passed under their own names."""
    for names, details in reversed(_OPTIONS):
        variable = "XDPREDIRECT_" + names[0].removeprefix("--").replace("-", "_").upper()
        function = click.option(*names, envvar=variable, show_envvar=True, **details)(function)
    return function
