"""Process 1 of a node: makes its mounts, says "ready", and buries orphans until it is killed.

Run by `machine.Machine` as a script in new mount, UTS, IPC and PID namespaces. Whatever else runs
on the node goes with this process, however it ends: the kernel kills all of a PID namespace.

    init.py NAME STORAGE
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# Where a kubelet, a containerd and an agent keep things over a reboot: subdirectories of STORAGE.
KEPT = ("kubelet", "containerd", "cni", "xdpredirect")
# Kubelet insists on these values, and they belong to the whole machine: it gets copies.
TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
CGROUPS = Path("/sys/fs/cgroup")
FOREIGN = ("bpf", "nsfs", "overlay", "proc")


def main(name: str, storage: Path) -> None:
    """Returns never; an exception ends the node."""
    socket.sethostname(name)
    mount("--make-rprivate", "/")
    _let_go()
    mount("-t", "proc", "proc", "/proc")
    # Opened before anything is mounted over it.
    opened = os.open(storage, os.O_RDONLY | os.O_DIRECTORY)
    _own_sysfs()
    for directory in ("/run", "/var/log", "/var/lib"):
        mount("-t", "tmpfs", "tmpfs", directory)
    for part in KEPT:
        bind_kept(opened, part)
    os.close(opened)
    copies = Path("/run/tunables")
    for key, value in TUNABLES.items():
        copy = copies / key
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(f"{value}\n")
        mount("--bind", str(copy), f"/proc/sys/{key}")
    _own_names()
    # What is not the node's own it can only read: nothing is left on the machine.
    mount("-o", "remount,bind,ro", "/")
    print("ready", flush=True)
    # The kernel then buries them itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        signal.pause()


def _let_go() -> None:
    """A copy of a mount would keep the network namespaces and the pins of other tests alive."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        _, place, kind, *_ = line.split()
        if kind in FOREIGN and place != "/proc":
            # Fails for a mount that something else is mounted over; that one is asked for twice.
            subprocess.run(["umount", "--lazy", place], check=False, stderr=subprocess.DEVNULL)


def _own_sysfs() -> None:
    """A sysfs shows the network interfaces of whoever mounts it."""
    mount("-t", "tmpfs", "tmpfs", "/tmp")
    aside = Path("/tmp/cgroup")
    aside.mkdir()
    mount("--rbind", str(CGROUPS), str(aside))
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("--move", str(aside), str(CGROUPS))
    mount("-t", "bpf", "bpf", "/sys/fs/bpf")
    mount("-t", "tracefs", "tracefs", "/sys/kernel/tracing")


def _own_names() -> None:
    """The machine's name server is on no network of the node, and who pulls an image that is not
    there waits half a minute for its answer. Where none is named the node itself is asked, which
    refuses at once.
    """
    names, empty = Path("/etc/resolv.conf"), Path("/run/resolv.conf")
    # A link may lead into the machine's /run: without the file it is the same.
    if names.exists():
        empty.touch()
        mount("--bind", str(empty), str(names))


def bind_kept(storage: int, part: str) -> None:
    """Puts a subdirectory of the storage, made when it is missing, to its place below /var/lib."""
    source, target = Path(f"/proc/self/fd/{storage}", part), Path("/var/lib", part)
    source.mkdir(exist_ok=True)
    target.mkdir()
    # Not canonical: that would be a path which leads elsewhere by now.
    mount("--no-canonicalize", "--bind", str(source), str(target), keep=[storage])


def mount(*words: str, keep: Sequence[int] = ()) -> None:
    """As the command does it; `keep` are descriptors that it needs."""
    subprocess.run(["mount", *words], check=True, pass_fds=keep)


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1], Path(sys.argv[2]))
