"""The command `xdpredirect`. Command modules are imported when they are called.

Entry point of the installed script and of `python3 -m xdpredirect`.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from xdpredirect.cli.exits import EXIT_CODES, run
from xdpredirect.cli.options import general_options
from xdpredirect.cli.runtime import Runtime, this_machine

COMMANDS = {
    "apply": ("xdpredirect.cli.apply", "make the kernel as these objects say"),
    "plan": ("xdpredirect.cli.apply", "print what apply would do: apply --dry-run"),
    "status": ("xdpredirect.cli.status", "objects, interfaces, rules and what they counted"),
    "monitor": ("xdpredirect.cli.monitor", "frames a second by rule, and what is lost and why"),
    "delete": ("xdpredirect.cli.delete", "remove objects and what they made in the kernel"),
    "doctor": ("xdpredirect.cli.doctor", "check what this machine lacks, and say how to mend it"),
    "receive": ("xdpredirect.cli.receive", "take an AF_XDP socket and print what comes in"),
    "agent": ("xdpredirect.cli.agent", "keep the kernel as a directory of objects says"),
    "operator": ("xdpredirect.cli.operator", "tell the nodes of a cluster what to redirect"),
    "verify": ("xdpredirect.cli.verify", "check an installation in a cluster"),
    "uninstall": ("xdpredirect.cli.uninstall", "take everything out of a cluster, redirects first"),
}


class LazyGroup(click.Group):
    """Lists commands without importing them: the agent never pays for the tables of `status`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every command, in the order people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in --help, from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from xdpredirect import __version__  # noqa: PLC0415

    click.echo(f"xdpredirect {__version__}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="print the version",
)  # fmt: skip
@general_options
@click.pass_context
def cli(ctx: click.Context, /, **given: str) -> None:
    """XDP redirects as objects: which frames go to which devices and CPUs.

    Every option below is accepted before or after the command, and as an environment variable.
    """
    runtime = ctx.obj or Runtime(machine=this_machine)
    runtime.given.update({name: value for name, value in given.items() if value})
    ctx.obj = runtime


def invoke(args: Sequence[str], runtime: Runtime | None = None) -> int:
    """Run one command line; returns the exit code."""
    return run(
        lambda: cli.main(
            args=list(args), prog_name="xdpredirect", obj=runtime, standalone_mode=False
        )
    )


def main() -> None:
    """Run the process's own command line and exit."""
    sys.exit(invoke(sys.argv[1:]))
