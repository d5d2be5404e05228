"""dpdk-testpmd of Debian 13 on a host of the lab: an AF_XDP client that is not ours.

Called by test_dpdk.py. It runs in its own tree (scripts/testpmd.sh) as nobody, with the two
capabilities that DPDK needs for AF_XDP, without hugepages, and sends every frame back to where it
came from, so that the wire shows what it has received.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.kernel.handing import Handing
from tests.kernel.lifecycle import until

INSTALL_SECONDS = 600.0
UID = 65534
STARTED = "testpmd> "
"""Its prompt, which it writes at once: other lines wait in its buffer."""
# SYS_CHROOT is for chroot alone; DPDK itself does without.
_CAPABILITIES = "-all,+net_raw,+ipc_lock,+sys_chroot"
_SCRIPT = r"""
cd "$1" && mount --bind "$2" sockets && mount --bind "$3" bpf && mount -t tmpfs tmpfs tmp
mount --bind /proc proc && mount --bind /sys sys && mount --bind /dev dev
chmod 1777 tmp && mkfifo tmp/stdin && exec 0<>tmp/stdin && shift 3
exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$ONLY" --ambient-caps "$ONLY" \
	--bounding-set "$ONLY" chroot . /usr/bin/dpdk-testpmd "$@"
"""
_EAL = ("--no-huge", "-m", "64", "--iova-mode=va", "--no-pci", "--no-telemetry", "-l", "0,1")
_TESTPMD = (
    "-i",
    "--auto-start",
    "--forward-mode=io",
    "--port-topology=loop",
    "--total-num-mbufs=4096",
)


@cache
def tree() -> Path:
    """The tree, seconds after the first time on a machine."""
    script = Path(__file__).parents[2] / "scripts" / "testpmd.sh"
    done = subprocess.run(
        [str(script)], capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


class Testpmd:
    """A running one; `said` is all that it has said until now."""

    __test__ = False

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.said = process, ""
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)

    def forwards(self) -> None:
        """Waits until it receives."""
        until(lambda: STARTED in self._more() or self._has_ended(), "testpmd")
        assert STARTED in self.said, self.said

    def ends(self) -> int:
        """Waits for the end; the exit code."""
        until(self._has_ended, "the end of testpmd")
        self._more()
        assert self.process.returncode is not None
        return self.process.returncode

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    def _more(self) -> str:
        assert self.process.stdout is not None
        try:
            while octets := os.read(self.process.stdout.fileno(), 65536):
                self.said += octets.decode(errors="replace")
        except BlockingIOError:
            pass
        return self.said


@contextmanager
def testpmd(handing: Handing, vdev: str, *words: str) -> Iterator[Testpmd]:
    """With one port of the driver net_af_xdp, on `in`, with these arguments. Sees the broker's
    directory as /sockets and the bpffs as /bpf."""
    place = [str(tree()), str(handing.dut.state_dir / "sockets"), str(handing.dut.bpffs)]
    driver = f"net_af_xdp0,iface=in,{vdev}"
    command = [*_EAL, "--vdev", driver, "--", *_TESTPMD, *words]
    private = ["unshare", "--mount", "--propagation", "private"]
    with handing.dut.running(
        [*private, "sh", "-ec", _SCRIPT, "sh", *place, *command],
        env={"ONLY": _CAPABILITIES, "XDG_RUNTIME_DIR": "/tmp"},
    ) as process:
        yield Testpmd(process)


testpmd.__test__ = False  # type: ignore[attr-defined]
