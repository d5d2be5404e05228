"""`python -m tests.demo`: runs the scenes, cleans up whatever happens.

Exit code 0 when every check held, 1 when one failed, 2 without root, 130 after Ctrl-C.
"""

import os
import signal
import sys
import time
from types import FrameType

from tests.demo import forwarding, lifetime
from tests.demo.network import Network, still_there
from tests.demo.stage import CheckFailed, Stage
from tests.kernel.lab import LabError
from tests.kernel.lab.sweep import sweep

INTERRUPTED = 130
SCENES = (
    forwarding.nothing_forwards,
    forwarding.silent_drop,
    forwarding.wire,
    forwarding.mirror,
    forwarding.pool,
    forwarding.cpus,
    forwarding.status,
    lifetime.refusal,
    lifetime.change_under_traffic,
    lifetime.death_of_the_agent,
    lifetime.deletion,
)


def _stop(number: int, _frame: FrameType | None) -> None:
    """SIGTERM cleans up as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def perform(stage: Stage) -> int:
    """Builds the network, plays the scenes, takes everything down; returns the exit code."""
    code = 0
    network: Network | None = None
    try:
        with stage.step("Build four hosts around a router") as step:
            sweep()
            network = Network()
            network.build()
            step.says(f"{len(network.hosts)} network namespaces, {len(network.ports)} veth pairs")
        stage.picture(network.PICTURE)
        for scene in SCENES:
            scene(stage, network)
    except (CheckFailed, LabError) as error:
        stage.failed(str(error))
        code = 1
    except KeyboardInterrupt:
        stage.failed("interrupted")
        code = INTERRUPTED
    finally:
        # A second Ctrl-C must not leave namespaces behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if network is not None:
            code = _clean_up(stage, network, interrupted=code == INTERRUPTED) or code
    return code


def _clean_up(stage: Stage, network: Network, *, interrupted: bool) -> int:
    try:
        with stage.step("Clean up") as step:
            try:
                network.close()
            except LabError:
                # A command that was interrupted too is ended by the lab, which then says so.
                if not interrupted:
                    raise
            left = still_there(network, network.programs)
            gone = f"namespaces, files and all {len(network.programs)} programs are gone"
            step.check(not left, gone, ", ".join(left))
    except (CheckFailed, LabError) as error:
        stage.failed(str(error))
        return 1
    return 0


def main() -> int:
    """Exit code of the whole demonstration."""
    if os.geteuid() != 0:
        print("make demo: needs root, for network namespaces and XDP; run `sudo make demo`")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    begun = time.monotonic()
    stage = Stage()
    stage.title("xdpredirect on one machine")
    code = perform(stage)
    stage.verdict(code, time.monotonic() - begun)
    return code


if __name__ == "__main__":
    sys.exit(main())
