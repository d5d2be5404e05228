"""docs/cli.md tells of every command, option, variable, default and exit code, and of no other."""

import re
from pathlib import Path

import click

from xdpredirect.cli import exits
from xdpredirect.cli.main import COMMANDS, cli
from xdpredirect.settings import OPTIONS

DOC = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


def parameters() -> list[click.Parameter]:
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in COMMANDS]
    return [p for command in commands if command is not None for p in command.params]


def test_every_command_has_a_section() -> None:
    sections = re.findall(r"^## (\w+)$", DOC, re.MULTILINE)
    assert [section for section in sections if section in COMMANDS] == list(COMMANDS)


def test_every_command_is_in_the_table() -> None:
    assert re.findall(r"^\| \[`(\w+)`\]\(#\1\) \|", DOC, re.MULTILINE) == list(COMMANDS)


def test_every_setting_stands_with_its_variable_and_default() -> None:
    rows = [line for line in DOC.splitlines() if line.startswith("| `--")]
    assert len(rows) == len(OPTIONS)
    for option in OPTIONS:
        (row,) = (line for line in rows if line.startswith(f"| `{option.flag} "))
        _, _, variable, default, *_ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
        assert variable == f"`{option.variable}`"
        assert default.strip("`") == option.default


def test_every_option_and_variable_is_named_and_no_other() -> None:
    for option in parameters():
        if isinstance(option, click.Option):
            assert any(spelling in DOC for spelling in option.opts), option.opts
    known = {str(one.envvar) for one in parameters() if one.envvar}
    known |= {option.variable for option in OPTIONS}
    assert set(re.findall(r"`(XDPREDIRECT_\w+)`", DOC)) == known


def test_every_exit_code_is_in_the_table() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", DOC, re.MULTILINE)}
    assert told == {
        exits.DONE,
        exits.FAILED,
        exits.INVALID,
        exits.AT_RISK,
        exits.LOCKED,
        exits.INTERRUPTED,
    }
