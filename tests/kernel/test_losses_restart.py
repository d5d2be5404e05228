"""Frames lost while no agent runs are counted all the same: the monitor is in the kernel."""

import time
from pathlib import Path

from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.test_lifecycle_agent import FRAME, TO_P1, Following
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.report import Loss
from xdpredirect.settings import Settings

DEAD_SECONDS = 10.0
RATE = 2000


def lost(there: Following) -> list[Loss]:
    """What a fresh process says about object `o`."""
    dut = there.dut
    settings = Settings(bpffs=dut.bpffs / "xdpredirect", state_dir=dut.state_dir, files=there.files)
    with dut.enter():
        report = MachineAgent(settings).observe_report()
    return list(next(o for o in report.objects if o.name == "o").losses)


def test_an_agent_killed_for_ten_seconds_misses_no_frame(lab: Lab, tmp_path: Path) -> None:
    there = Following(lab, tmp_path / "wanted")
    there.write(TO_P1)
    with there.agent() as process:
        until(lambda: there.program() > 0)
        there.dut.ip("link", "set", "p1", "down")
        with there.far["in"].stream(lambda _: FRAME, rate=RATE) as stream:
            until(lambda: sum(loss.packets for loss in lost(there)) > RATE // 2)
            process.kill()
            process.wait()
            begun = stream.sent
            time.sleep(DEAD_SECONDS)
            meanwhile = stream.sent - begun
            with there.agent():
                until(lambda: there.program() > 0)
                time.sleep(1)
        assert meanwhile > RATE
        until(lambda: sum(loss.packets for loss in lost(there)) == stream.sent)
        (found,) = lost(there)
        assert (found.reason, found.packets) == ("TargetDown", stream.sent)
