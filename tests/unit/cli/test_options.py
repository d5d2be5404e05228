"""Options and their variables, --help and --version."""

import click
import pytest

from tests.unit.agent.stored import redirect
from tests.unit.cli.machines import Shell, file
from xdpredirect import __version__
from xdpredirect.cli.main import COMMANDS, cli


def test_agent_runs_with_its_settings(shell: Shell) -> None:
    typed = shell.type("agent", "--files", "/etc/xdp", "--resync-seconds", "5")
    assert typed.code == 0
    ((settings, _),) = shell.machine.passes
    assert (str(settings.files), settings.resync_seconds) == ("/etc/xdp", 5.0)
    assert settings.bpffs == shell.root / "bpf"


def test_an_option_after_the_command_counts_more_than_before(shell: Shell) -> None:
    shell.environ = {"XDPREDIRECT_ATTACH": "netlink", "XDPREDIRECT_LOG": "json"}
    shell.type("--attach", "link", "--log", "json", "agent", "--log", "text")
    ((settings, _),) = shell.machine.passes
    assert (settings.attach, settings.log) == ("link", "text")


def test_a_variable_stands_for_an_option(shell: Shell) -> None:
    shell.environ = {"XDPREDIRECT_DRY_RUN": "1", "XDPREDIRECT_FILENAME": file(shell, redirect())}
    assert "(dry run)" in shell.type("apply").out


def test_every_option_is_a_variable_but_for_deleting_everything() -> None:
    context = click.Context(cli)
    without = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if not isinstance(parameter, click.Option):
                continue
            told = str(parameter.envvar or parameter.help)
            if "XDPREDIRECT_" not in told:
                without.append(f"{name} {parameter.opts[0]}")
    assert without == ["delete --all"]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_lists_the_exit_codes(shell: Shell, name: str) -> None:
    typed = shell.type(*filter(None, [name, "--help"]))
    assert typed.code == 0
    for code in range(5):
        assert f"\n    {code}  " in typed.out


def test_the_agent_does_not_poll_for_sockets_that_it_has_not_made(shell: Shell) -> None:
    typed = shell.type("receive", "eth0", "--own-device", "net1", "--busy-poll", "8")
    assert typed.code == 2
    assert "the agent sets --busy-poll on sockets of its own; leave it out" in typed.err


def test_version(shell: Shell) -> None:
    assert shell.type("--version").out == f"xdpredirect {__version__}\n"
