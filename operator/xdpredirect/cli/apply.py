"""`xdpredirect apply` and `xdpredirect plan`: objects from files into the kernel."""

from typing import TypedDict, Unpack

import click

from xdpredirect.api.load import load_paths
from xdpredirect.cli.change import Edit, carry_out, rehearse
from xdpredirect.cli.exits import EXIT_CODES
from xdpredirect.cli.options import (
    GENERAL,
    dry_run_option,
    output_option,
    settings_options,
    strict_option,
    timeout_option,
)
from xdpredirect.cli.runtime import Runtime
from xdpredirect.settings import Settings

file_option = click.option(
    "-f",
    "--filename",
    "paths",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    envvar="XDPREDIRECT_FILENAME",
    show_envvar=True,
    help="objects to apply; a directory stands for its *.yaml, *.yml and *.json; may be repeated",
)


class PlanOptions(TypedDict):
    """Options of `plan`, by parameter name."""

    paths: tuple[str, ...]
    output: str


class ApplyOptions(PlanOptions):
    """Options of `apply`, by parameter name."""

    dry_run: bool
    strict: bool
    timeout: float


@click.command(epilog=EXIT_CODES)
@file_option
@dry_run_option
@strict_option
@timeout_option
@output_option
@settings_options(*GENERAL)
@click.pass_obj
def apply(runtime: Runtime, /, settings: Settings, **options: Unpack[ApplyOptions]) -> int:
    """Make the kernel of this machine as these objects say.

    Everything is validated first: when one object is wrong, nothing is touched. Objects that were
    applied before and are not in FILE stay. Where an agent runs, it does the work, and apply waits.
    """
    if options["dry_run"]:
        return _print_plan(runtime, settings, options)
    from xdpredirect.cli.results import finish  # noqa: PLC0415 - rich, only to print

    edit = Edit(put=load_paths(options["paths"]).documents)
    result = carry_out(runtime, settings, edit, options["timeout"])
    return finish(result, options["output"], strict=options["strict"])


@click.command(epilog=EXIT_CODES)
@file_option
@output_option
@settings_options(*GENERAL)
@click.pass_obj
def plan(runtime: Runtime, /, settings: Settings, **options: Unpack[PlanOptions]) -> int:
    """Print what apply would do, and change nothing: the same as apply --dry-run."""
    return _print_plan(runtime, settings, options)


def _print_plan(runtime: Runtime, settings: Settings, options: PlanOptions) -> int:
    from xdpredirect.cli.results import finish  # noqa: PLC0415 - rich, only to print

    edit = Edit(put=load_paths(options["paths"]).documents)
    result = rehearse(runtime, settings, edit)
    return finish(result, options["output"], dry_run=True)
