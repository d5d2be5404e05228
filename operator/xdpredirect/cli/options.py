"""Options that several commands share, each with an environment variable of the same meaning.

Called by every command module. The settings' own names, defaults and variables come from
`settings.OPTIONS`, so help, docs and behaviour cannot differ.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from xdpredirect.cli.runtime import Runtime
from xdpredirect.settings import OPTIONS, read

Command = TypeVar("Command", bound=Callable[..., Any])
GENERAL = ("bpffs", "state_dir", "compiler_python", "node_labels", "attach", "log")


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Add the options of these settings and pass the function `settings`, a checked Settings.

    An option after the command counts more than one before it, and both more than a variable.
    """

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def with_settings(*args: Any, **kwargs: Any) -> Any:
            runtime = click.get_current_context().find_object(Runtime)
            given = dict(runtime.given) if runtime else {}
            given.update({name: kwargs.pop(name) or given.get(name, "") for name in names})
            return function(*args, settings=read(given), **kwargs)

        return add_settings(cast(Command, with_settings), *names)

    return decorate


def add_settings(function: Command, *names: str) -> Command:
    """Add the options of these settings as plain text parameters."""
    for option in reversed(OPTIONS):
        if option.field in names:
            function = click.option(
                option.flag,
                option.field,
                metavar=option.metavar,
                help=f"{option.help}  [{option.variable}; default: {option.default}]",
            )(function)
    return function


def general_options(function: Command) -> Command:
    """The options that are also accepted before the command."""
    return add_settings(function, *GENERAL)


def output_option(function: Command) -> Command:
    """`-o table|json|yaml`, passed as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        envvar="XDPREDIRECT_OUTPUT",
        show_envvar=True,
        help="how the result is printed",
    )(function)


def strict_option(function: Command) -> Command:
    """`--strict`, passed as `strict`."""
    return click.option(
        "--strict",
        is_flag=True,
        envvar="XDPREDIRECT_STRICT",
        show_envvar=True,
        help="exit 3 when an object is Degraded or Stalled",
    )(function)


def timeout_option(function: Command) -> Command:
    """`--timeout SECONDS`, passed as `timeout`."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0, 86400),
        default=30,
        show_default=True,
        metavar="SECONDS",
        envvar="XDPREDIRECT_TIMEOUT",
        show_envvar=True,
        help="how long to wait for a running agent",
    )(function)


def dry_run_option(function: Command) -> Command:
    """`--dry-run`, passed as `dry_run`."""
    return click.option(
        "--dry-run",
        is_flag=True,
        envvar="XDPREDIRECT_DRY_RUN",
        show_envvar=True,
        help="print the plan and change nothing",
    )(function)
