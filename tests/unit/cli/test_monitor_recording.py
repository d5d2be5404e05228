"""`monitor` as a command: recordings, replays, documents, and options that exclude each other."""

import json
from pathlib import Path

import click
import pytest
import yaml

from tests.unit.cli.machines import Shell
from tests.unit.cli.monitor_samples import busy, machine
from tests.unit.cli.test_monitor_tables import MACHINE, OBJECTS
from xdpredirect.agent.recording import (
    FORMAT,
    Header,
    Interval,
    Recorder,
    interval_data,
    read_interval,
    replay,
)
from xdpredirect.cli.monitor import monitor
from xdpredirect.errors import InvalidInput

HEADER = Header(
    version="1.2.3",
    time="2026-01-02T03:00:00Z",
    host="node1",
    kernel="6.18.0",
    interval=1.0,
    objects=("edge",),
)


def recording(path: Path, *intervals: Interval) -> str:
    with path.open("w") as stream:
        recorder = Recorder(stream, HEADER)
        for interval in intervals:
            recorder.write(interval)
    return str(path)


@pytest.mark.parametrize("interval", [busy(), machine()])
def test_documents_hold_everything(interval: Interval) -> None:
    assert read_interval(json.loads(json.dumps(interval_data(interval)))) == interval


def test_fields_of_later_versions_are_passed_over() -> None:
    value = json.loads(json.dumps(interval_data(busy())))
    value["interfaces"][0]["rules"][0]["newField"] = 1
    value["newField"] = []
    assert read_interval(value) == busy()


def test_a_recording_reads_back(tmp_path: Path) -> None:
    header, intervals = replay(Path(recording(tmp_path / "r", busy(), machine())))
    assert (header, list(intervals)) == (HEADER, [busy(), machine()])


def test_replay_shows_the_same_tables_at_its_pace(shell: Shell) -> None:
    file = recording(shell.root / "r", busy(), machine())
    typed = shell.type("monitor", "--replay", file)
    assert (typed.code, typed.out) == (0, f"{OBJECTS}\n{MACHINE}\n")
    assert typed.err == "node1, Linux 6.18.0, recorded 2026-01-02T03:00:00Z\n"
    assert shell.seconds == 3.0
    shell.type("monitor", "--replay", file, "--speed", "10")
    assert shell.seconds == pytest.approx(3.3)
    shell.type("monitor", "--replay", file, "--speed", "0")
    assert shell.seconds == pytest.approx(3.3)


def test_for_programs(shell: Shell) -> None:
    file = recording(shell.root / "r", busy(), machine())
    one = shell.type("monitor", "--replay", file, "--once", "-o", "json").out
    assert json.loads(one) == interval_data(busy())
    assert one.count("\n") > 10
    lines = shell.type("monitor", "--replay", file, "-o", "json").out.splitlines()
    assert [json.loads(line) for line in lines] == [interval_data(busy()), interval_data(machine())]
    documents = shell.type("monitor", "--replay", file, "-o", "yaml").out
    assert list(yaml.safe_load_all(documents)) == [interval_data(busy()), interval_data(machine())]


def test_rounds_end_it(shell: Shell) -> None:
    file = recording(shell.root / "r", *[busy()] * 5)
    typed = shell.type("monitor", "--replay", file, "--rounds", "2", "-o", "json")
    assert len(typed.out.splitlines()) == 2


def test_a_last_line_that_was_cut_off_ends_the_recording(tmp_path: Path) -> None:
    path = Path(recording(tmp_path / "r", busy(), busy()))
    path.write_text(path.read_text()[:-20])
    assert list(replay(path)[1]) == [busy()]


@pytest.mark.parametrize("line", ["{}", "[]", "1", "nonsense", '{"time":"T","seconds":1}'])
def test_a_line_that_is_no_interval_is_named(tmp_path: Path, line: str) -> None:
    path = Path(recording(tmp_path / "r", busy()))
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(InvalidInput, match="line 3: no interval"):
        list(replay(path)[1])


@pytest.mark.parametrize("text", ["", "\n", "{}\n", "[]\n", "hello\n", '{"recording":1}\n'])
def test_something_else_is_no_recording(shell: Shell, text: str) -> None:
    path = shell.root / "r"
    path.write_text(text)
    typed = shell.type("monitor", "--replay", str(path))
    assert typed.code == 2
    assert typed.err == f"{path}: is not a recording of `xdpredirect monitor --record`\n"


def test_a_recording_of_another_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text(json.dumps({"recording": FORMAT + 1}) + "\n")
    with pytest.raises(InvalidInput, match=r"recording of format 2; this version reads 1"):
        replay(path)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--success",), "--success: only with --all-programs"),
        (("--all-programs", "edge"), "NAME: not with --all-programs"),
        (("--replay", "FILE", "edge"), "NAME: not with --replay"),
        (("--replay", "FILE", "--all-programs"), "--all-programs: not with --replay"),
        (("--replay", "FILE", "--success"), "--success: not with --replay"),
        (("--replay", "FILE", "--record", "x"), "--record: not with --replay"),
    ],
)
def test_options_that_exclude_each_other(
    shell: Shell, words: tuple[str, ...], problem: str
) -> None:
    file = recording(shell.root / "r", busy())
    typed = shell.type("monitor", *(file if word == "FILE" else word for word in words))
    assert typed.code == 2
    assert typed.err.startswith(problem)


def test_an_object_that_is_not_here(shell: Shell) -> None:
    typed = shell.type("monitor", "nothing", "--once")
    assert (typed.code, typed.err) == (2, "nothing: is not here; this machine has no object\n")


def test_every_option_is_a_variable(shell: Shell) -> None:
    for option in monitor.params:
        if isinstance(option, click.Option) and option.envvar:
            assert option.envvar == "XDPREDIRECT_" + str(option.name).upper()
    shell.environ = {"XDPREDIRECT_REPLAY": recording(shell.root / "r", busy(), busy())}
    shell.environ |= {"XDPREDIRECT_ONCE": "1", "XDPREDIRECT_SPEED": "2"}
    typed = shell.type("monitor")
    assert (typed.out.count("ens1f0 native"), shell.seconds) == (1, 1.0)
