"""The systemd unit: valid, and true about the command and the capabilities it needs."""

import shutil
import subprocess
from pathlib import Path

from xdpredirect.cli.exits import INVALID, LOCKED
from xdpredirect.cli.main import COMMANDS

UNIT = Path(__file__).parents[3] / "contrib" / "xdpredirect.service"


def settings() -> dict[str, str]:
    """Assignments of the unit; a key that stands twice would silently add up in systemd."""
    found: dict[str, str] = {}
    for line in UNIT.read_text().splitlines():
        if not line or line.startswith(("#", "[")):
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{line!r} assigns nothing"
        assert key not in found, f"{key} stands twice"
        found[key] = value
    return found


def test_sections_stand_in_order() -> None:
    sections = [line for line in UNIT.read_text().splitlines() if line.startswith("[")]
    assert sections == ["[Unit]", "[Service]", "[Install]"]


def test_the_command_exists() -> None:
    _, program, command = settings()["ExecStart"].split()
    assert program == "xdpredirect"
    assert command in COMMANDS


def test_an_exit_that_trying_again_cannot_mend_is_final() -> None:
    assert settings()["Restart"] == "on-failure"
    assert settings()["RestartPreventExitStatus"].split() == [str(INVALID), str(LOCKED)]


def test_only_the_capabilities_that_are_needed() -> None:
    assert set(settings()["CapabilityBoundingSet"].split()) == {
        *("CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_PERFMON"),
        *("CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"),
    }
    assert settings()["NoNewPrivileges"] == "yes"


def test_stopping_it_kills_nothing_but_the_agent() -> None:
    assert settings()["KillSignal"] == "SIGTERM"
    assert "ExecStop" not in settings()
    assert "ExecStopPost" not in settings()


def test_systemd_agrees_where_there_is_one() -> None:
    """The checks above hold anywhere; this one adds systemd's own where it is installed."""
    analyze = shutil.which("systemd-analyze")
    command = [analyze, "verify", str(UNIT)] if analyze else ["grep", "-q", "ExecStart", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
