"""dpdk-testpmd of Debian 13 on a host of the lab: an AF_XDP client that is not ours.

Called by test_dpdk.py, dpdk_pods.py and tests/cluster/test_pods_dpdk.py. It runs in its own tree
(scripts/testpmd.sh) as nobody, with the two capabilities that DPDK needs for AF_XDP and without
hugepages, as docs/dpdk.md says it, and sends every frame back to where it came from, so that the
wire shows what it has received.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from string import Template

from tests.kernel.documents import ROOT, blocks
from tests.kernel.handing import Handing
from tests.kernel.lab import Host
from tests.kernel.lifecycle import until
from tests.kernel.switch import INGRESS

INSTALL_SECONDS = 600.0
STARTED = "testpmd> "
"""Its prompt, which it writes at once: other lines wait in its buffer."""
# SYS_CHROOT is for chroot alone; DPDK itself does without.
_CAPABILITIES = "-all,+net_raw,+ipc_lock,+sys_chroot"
_SCRIPT = r"""
cd "$1" && mount --bind "$2" run/xdpredirect/sockets && mount --bind /proc proc
mount --bind /dev dev && mount --bind /sys sys && mount --bind "$3" sys/fs/bpf
mount -t tmpfs tmpfs tmp && chmod 1777 tmp
if [ -n "$ALSO" ]; then
	mkdir -p "tmp/afxdp_dp/$ALSO" && mount --bind "$2/afxdp_dp/in" "tmp/afxdp_dp/$ALSO"
fi
mkfifo tmp/stdin && exec 0<>tmp/stdin && shift 3
exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$ONLY" --ambient-caps "$ONLY" \
	--bounding-set "$ONLY" chroot . /usr/bin/dpdk-testpmd "$@"
"""
PAGE = ROOT / "docs/dpdk.md"
_ASSIGNED = re.compile(r"([A-Z_]+)=(.*)")


def of_page(way: str) -> list[str]:
    """The words of the page's command with this piece in it, for the lab's device."""
    (block,) = (b for b in blocks(PAGE) if b.language == "console" and way in b.text)
    variables: dict[str, str] = {}
    for line in block.text.replace("eth0", INGRESS).splitlines():
        command = Template(line.removeprefix("$ ")).safe_substitute(variables)
        if assigned := _ASSIGNED.fullmatch(command):
            variables[assigned[1]] = assigned[2].strip('"')
        elif command.startswith("dpdk-testpmd "):
            return shlex.split(command)[1:]
    raise AssertionError(f"{PAGE} has no dpdk-testpmd with {way}")


@cache
def tree() -> Path:
    """The tree; seconds the first time on a machine."""
    script = ROOT / "scripts" / "testpmd.sh"
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
        self.says(STARTED)

    def says(self, words: str) -> None:
        """Waits until it has said that."""
        until(lambda: words in self._more() or self.process.poll() is not None, "testpmd")
        assert words in self._more(), self.said

    def _more(self) -> str:
        assert self.process.stdout is not None
        with suppress(BlockingIOError):
            while octets := os.read(self.process.stdout.fileno(), 65536):
                self.said += octets.decode(errors="replace")
        return self.said


def testpmd(handing: Handing, *words: str) -> AbstractContextManager[Testpmd]:
    """On the host of the agent."""
    return running(handing.dut, handing.dut, (), words)


testpmd.__test__ = False  # type: ignore[attr-defined]


@contextmanager
def running(
    dut: Host, host: Host, before: Sequence[str], words: Sequence[str], also: str = ""
) -> Iterator[Testpmd]:
    """On `host`, run by the command `before`. The broker's directory and the bpffs of `dut` are
    where they are on a machine. The device `also` has its socket where DPDK looks by itself."""
    place = [str(tree()), str(dut.state_dir / "sockets"), str(dut.bpffs)]
    private = ["unshare", "--mount", "--propagation", "private"]
    with host.running(
        [*before, *private, "sh", "-ec", _SCRIPT, "sh", *place, *words],
        env={"ONLY": _CAPABILITIES, "XDG_RUNTIME_DIR": "/tmp", "ALSO": also},
    ) as process:
        yield Testpmd(process)
