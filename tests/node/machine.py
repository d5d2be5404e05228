"""One node: namespaces with a containerd and a kubelet of their own; made by `machines`.

Network, mounts, host name, IPC and processes are the node's. What survives a reboot is in
`storage`, on disk: images, pods and the agent's state directory.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.binaries.families import cache, path
from tests.cluster.cluster import Cluster
from tests.cluster.waiting import until
from tests.kernel.lab import netns
from tests.kernel.lab.host import pinned_in
from tests.kernel.lab.wires import Wires, wire
from tests.node import cgroups, configuration, init, processes
from tests.node.configuration import DIRECTORY, Plan
from tests.node.daemon import Daemon, await_child

STORAGE_ROOT = cache() / "nodes"
# Where Debian has runc, mount and what else the programs of a node call.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
COMMAND_SECONDS = 300.0
NAMESPACES = ("--mount", "--uts", "--ipc", "--pid")


class NodeError(Exception):
    """A command on a node failed; the message is what it wrote."""


class Machine:
    """`host` is its network namespace. Between `boot` and `shut_down` everything on it runs."""

    def __init__(self, cluster: Cluster, name: str, pods: str, pause: str) -> None:
        self.cluster, self.name, self.pods = cluster, name, pods
        self.host = cluster.lab.host(name)
        self.address = cluster.network.join(self.host)
        self.storage = STORAGE_ROOT / self.host.netns
        self._plan = Plan(
            name=name,
            address=self.address,
            pods=pods,
            cgroup=self.host.netns,
            pause=pause,
            programs=path("bridge").parent,
        )
        self._init: subprocess.Popen[str] | None = None
        self._pid = 0
        self.containerd = self._daemon("containerd", ["--config", self._file("containerd.toml")])
        self.kubelet = self._daemon("kubelet", self._kubelet_flags())

    @property
    def root(self) -> Path:
        """The node's file system, as this machine sees it."""
        return Path(f"/proc/{self._pid}/root")

    def boot(self) -> None:
        """Makes network, namespaces and mounts. To be called by a thread that outlives the node:
        the kernel ends what a thread started when the thread ends.
        """
        self._connect()
        self.wires: Wires = wire(self.cluster.lab, self.name)
        cgroups.make(self.host.netns)
        self.storage.mkdir(parents=True, exist_ok=True)
        with self._log("init").open("ab") as log:
            self._init = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.host.path}"),
                    *("unshare", *NAMESPACES, "--fork", "--kill-child"),
                    *("/usr/bin/python3", init.__file__, self.name, str(self.storage)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._pid = await_child(self._init)
        assert self._init.stdout is not None
        with self._init.stdout as output:
            said = output.readline()
        assert said == "ready\n", f"{self.name} does not boot: {self._log('init').read_text()}"
        kubeconfig = self.cluster.kubelet_kubeconfig(self.name).read_text()
        authority = self.cluster.control_plane.credentials.certificate.read_text()
        for name, text in configuration.files(self._plan, kubeconfig, authority).items():
            file = self.root / str(DIRECTORY / name).lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def start_containerd(self) -> None:
        """Returns when it answers."""
        self.containerd.start(self._into())
        until(
            lambda: self.try_run([str(path("ctr")), "version"]).returncode == 0,
            f"containerd of {self.name} answers",
            evidence=self.containerd.tail,
        )

    def start_kubelet(self) -> None:
        """Returns at once; `machines` waits for the Node to be Ready."""
        self.kubelet.start(self._into())

    def shut_down(self) -> None:
        """Ends whatever runs on it, as a power cut would; what is in `storage` stays."""
        if self._init is not None:
            if self._pid and self._init.poll() is None:
                # Process 1: the kernel kills all the others before it is gone.
                os.kill(self._pid, signal.SIGKILL)
            else:
                self._init.kill()
            self._init.wait()
            self._pid = 0
            self._init = None
            for daemon in (self.kubelet, self.containerd):
                daemon.stop()
        cgroups.remove(self.host.netns)

    def reconnect(self) -> None:
        """An empty network namespace instead of the one before, under its name."""
        netns.delete(self.host.netns)
        netns.create(self.host.netns, ipv6=False)
        self.cluster.network.join(self.host, self.address)

    def remove(self) -> None:
        """Shuts it down and forgets what it kept."""
        self.shut_down()
        if self.storage.exists():
            shutil.rmtree(self.storage)

    def load(self, archive: Path) -> None:
        """Images of a docker-archive, under the names it has for them."""
        with archive.open("rb") as content:
            argv = [str(path("ctr")), "-n", "k8s.io", "images", "import", "--local", "-"]
            done = subprocess.run(
                [*self._into(), *argv], stdin=content, capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise NodeError(f"{self.name}: import of {archive}: {done.stderr.strip()}")

    def tag(self, image: str, other: str) -> None:
        """Another name for an image that it has; both are full references."""
        self.run(str(path("ctr")), "-n", "k8s.io", "images", "tag", "--force", image, other)

    def processes(self, words: str) -> list[int]:
        """Pids of containers' processes whose command line has these words."""
        return processes.with_words(self.host.netns, words)

    def pins(self) -> list[str]:
        """What is pinned in its bpffs."""
        return pinned_in(self.root / "sys/fs/bpf")

    @property
    def wrappers(self) -> list[int]:
        """Pids outside of the node that its programs hang on."""
        found = [self._init] if self._init is not None else []
        return [process.pid for process in found] + [
            pid for daemon in (self.containerd, self.kubelet) for pid in daemon.wrapper
        ]

    def run(self, *argv: str) -> str:
        """Standard output of a command on the node; NodeError when it fails."""
        done = self.try_run(argv)
        if done.returncode != 0:
            raise NodeError(f"{self.name}: {' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def try_run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """For commands that are expected to fail."""
        return subprocess.run(
            [*self._into(), *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL,
        )

    def evidence(self) -> str:
        """The ends of its logs."""
        return "\n\n".join(daemon.tail() for daemon in (self.kubelet, self.containerd))

    def _connect(self) -> None:
        """Pods reach the API server's service, and one another, through the control plane."""
        network = self.cluster.network
        self.host.sysctl("ipv4/ip_forward", "1")
        self.host.ip("route", "replace", "default", "via", network.address)
        network.control.ip("route", "replace", self.pods, "via", self.address)

    def _into(self) -> list[str]:
        return ["nsenter", "--target", str(self._pid), "--net", *NAMESPACES, "--"]

    def _file(self, name: str) -> str:
        return str(DIRECTORY / name)

    def _log(self, name: str) -> Path:
        return self.host.state_dir.parent / f"{name}.log"

    def _daemon(self, name: str, flags: Sequence[str]) -> Daemon:
        programs = path("containerd").parent
        env = {"PATH": f"{programs}:{PATH}"}
        return Daemon([str(path(name)), *flags], self._log(name), env)

    def _kubelet_flags(self) -> list[str]:
        return [
            f"--config={self._file('kubelet.json')}",
            f"--kubeconfig={self._file('kubeconfig')}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
        ]
