"""`make demo`: every check holds, and whatever happens it leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.demo.stage import CheckFailed, Count, Stage
from tests.kernel.documents import ROOT
from tests.kernel.lab.topology import LAB_ROOT, NAME_PREFIX

DEMO = [sys.executable, "-m", "tests.demo"]


IN_A_TERMINAL = ["script", "-qec", f"stty cols 100; exec {' '.join(DEMO)}", os.devnull]


@pytest.mark.parametrize("command", [DEMO, IN_A_TERMINAL], ids=["log", "terminal"])
def test_every_check_holds(command: list[str]) -> None:
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every check held" in done.stdout
    assert ("\x1b[" in done.stdout) == (command is IN_A_TERMINAL)
    # Eight kinds of traffic, each with as many received as sent.
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout)
    rows = re.findall(r" {2,}([\d,]+) +([\d,]+) +([\d,]+)   ", shown[shown.index("TRAFFIC") :])
    assert len(rows) == 8
    assert all(sent == received and lost == "0" for sent, received, lost in rows)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cleans_up(number: signal.Signals) -> None:
    with subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "apply" in line:
                break
        time.sleep(0.3)
        process.send_signal(number)
        rest = process.stdout.read()
    assert process.returncode == 130, rest
    assert "programs are gone" in rest
    mine = f"{NAME_PREFIX}{process.pid}-"
    assert not [p for p in (*Path("/run/netns").glob("*"), *LAB_ROOT.glob("*")) if mine in str(p)]


def test_a_lost_frame_fails_a_step() -> None:
    stage = Stage()
    with (
        pytest.raises(CheckFailed, match="UDP: 9 of 10 frames arrived, 1 lost"),
        stage.step("s") as s,
    ):
        stage.count(s, Count("UDP", 10, 9, "frames"))


def test_needs_root() -> None:
    # Not another user: nobody may be able to read this checkout.
    script = (
        "import os, runpy; os.geteuid = lambda: 65534;"
        "runpy.run_module('tests.demo', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "needs root" in done.stdout
