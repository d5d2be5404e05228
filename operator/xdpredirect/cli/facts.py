"""Reads what the doctor judges. Reads only; what is unreadable is told as such, not raised.

Called by `doctor`.
"""

import os
import resource
import subprocess
from pathlib import Path

from xdpredirect.agent.pins import Pins
from xdpredirect.cli.checks import Facts
from xdpredirect.errors import KernelError
from xdpredirect.host import Host
from xdpredirect.kernel.bpf import foreign_program_name, open_pin, program_info
from xdpredirect.kernel.host import observe_host
from xdpredirect.kernel.programs import link_info
from xdpredirect.settings import Settings

PROBE = "import bcc; print(getattr(bcc, '__version__', 'of unknown version'))"
PROBE_SECONDS = 30


def gather(settings: Settings, root: Path = Path("/")) -> Facts:
    """Facts about this machine and network namespace. `root` is where sys and proc are looked for.

    Raises KernelError when links cannot be listed.
    """
    host = observe_host(dict(settings.node_labels))
    complaint, version = probe_compiler(settings.compiler_python)
    mounts = mount_types((root / "proc/self/mounts").read_text())
    return Facts(
        host=host,
        release=os.uname().release,
        capabilities=effective((root / "proc/self/status").read_text()),
        bpffs=str(settings.bpffs),
        bpffs_mounted=inside(settings.bpffs, "bpf", mounts),
        tracefs_mounted="tracefs" in mounts.values(),
        btf=(root / "sys/kernel/btf/vmlinux").exists(),
        jit=_read(root / "proc/sys/net/core/bpf_jit_enable"),
        compiler_python=settings.compiler_python,
        compiler=complaint,
        compiler_version=version,
        memlock=resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        foreign=_foreign(host, settings.bpffs),
    )


def effective(status: str) -> int:
    """The effective capabilities in the text of /proc/self/status."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return int(line.split()[1], 16)


def mount_types(mounts: str) -> dict[str, str]:
    """File system type by mount point, from the text of /proc/self/mounts; the topmost counts."""
    fields = (line.split() for line in mounts.splitlines())
    return {field[1].replace("\\040", " "): field[2] for field in fields if len(field) > 2}


def inside(path: Path, kind: str, mounts: dict[str, str]) -> bool:
    """Whether `path`, which need not exist yet, lies in a file system of this type."""
    for directory in (path, *path.parents):
        if str(directory) in mounts:
            return mounts[str(directory)] == kind
    return False


def probe_compiler(python: str) -> tuple[str, str]:
    """Let the interpreter import bcc as the compile child will. Returns (complaint, version)."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", PROBE],
            capture_output=True, text=True, timeout=PROBE_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{python} does not run: {error}", ""
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return f"{python} cannot import bcc: {last}", ""
    return "", done.stdout.strip()


def _foreign(host: Host, bpffs: Path) -> dict[int, str]:
    """Programs that no pin of this bpffs directory holds, by ifindex; names are empty where this
    process may not ask for them."""
    ours = our_programs(bpffs)
    return {
        link.ifindex: foreign_program_name(link.xdp_prog_id)
        for link in host.links
        if link.xdp_prog_id and link.xdp_prog_id not in ours
    }


def our_programs(bpffs: Path) -> set[int]:
    """Ids of the programs that run by our pins; empty where they cannot be read."""
    pins = Pins(bpffs)
    found = set()
    try:
        links = [*pins.interfaces.glob("*/link"), *pins.passes.glob("*")]
        programs = list(pins.interfaces.glob("*/*/prog-*"))
        for path in (*links, *programs):
            fd = open_pin(path)
            try:
                found.add(link_info(fd).prog_id if path in links else program_info(fd).id)
            finally:
                os.close(fd)
    except (KernelError, OSError):
        # Without CAP_BPF, or while an agent changes the pins; the doctor says the first itself.
        return found
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
