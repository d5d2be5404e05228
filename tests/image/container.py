"""An image run by runc, with what kubelet gives a pod of ours and nothing more.

Made by the fixtures. Capabilities, a read-only root, no new privileges, the seccomp profile that
containerd calls its default: `conftest.agent_container` and `operator_container` say which.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.image.go_program import go_program
from tests.kernel.lab import Host

AGENT_CAPABILITIES = ("CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON")
STOP_SECONDS = 30.0
# As containerd has them for every container that is not privileged.
MASKED = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware")  # fmt: skip
READ_ONLY = ("/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
             "/proc/sysrq-trigger")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One more mount: `source` is a directory of this machine, or empty for a tmpfs."""

    target: str
    source: str = ""
    read_only: bool = False

    def document(self) -> dict[str, Any]:
        """As an OCI configuration has it."""
        if not self.source:
            options = ["nosuid", "nodev", "mode=1777", "size=64m"]
            return {
                "destination": self.target,
                "type": "tmpfs",
                "source": "tmpfs",
                "options": options,
            }
        options = ["rbind", "rprivate", "ro" if self.read_only else "rw"]
        return {
            "destination": self.target,
            "type": "bind",
            "source": self.source,
            "options": options,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who the process is and what it may."""

    user: int
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What differs between containers. `image` is the configuration of the image."""

    root: Path
    image: Mapping[str, Any]
    rights: Rights
    args: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Container:
    """`pod` in the network namespace of `host`; started, signalled and removed by its name."""

    def __init__(self, host: Host, name: str, pod: Pod) -> None:
        self.host, self.pod = host, pod
        self.name = f"{host.netns}-{name}"
        self._bundle = host.state_dir.parent / name
        self.log = self._bundle / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns at once."""
        assert self._process is None or self._process.poll() is not None
        self._bundle.mkdir(exist_ok=True)
        spec = configuration(self.host, self.pod)
        (self._bundle / "config.json").write_text(json.dumps(spec))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._runc("run", self.name)],
                cwd=self._bundle,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self) -> "Finished":
        """Starts it, waits for its end."""
        self.start()
        return Finished(self.wait(), self.said())

    def execute(self, *argv: str, check: bool = True) -> str:
        """A command inside, as `kubectl exec` runs it: with the rights of the container."""
        done = subprocess.run(
            self._runc("exec", self.name, *argv), capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}: {done.stderr}"
        return done.stdout

    def signal(self, number: signal.Signals) -> None:
        """To process 1, as kubelet sends it."""
        subprocess.run(self._runc("kill", self.name, str(int(number))), check=True)

    def wait(self) -> int:
        """The exit code of process 1; 128 + its number for a signal."""
        assert self._process is not None
        return self._process.wait(STOP_SECONDS)

    def said(self) -> str:
        """Both outputs so far."""
        return self.log.read_text() if self.log.exists() else ""

    def processes(self) -> list[str]:
        """Names of all processes inside, zombies marked."""
        return list(_processes(json.loads(self._output("ps", "--format=json", self.name))))

    def remove(self) -> None:
        """Ends it if it runs."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
            self._process.wait(STOP_SECONDS)

    def _output(self, *words: str) -> str:
        return subprocess.run(self._runc(*words), capture_output=True, text=True, check=True).stdout

    def _runc(self, *words: str) -> list[str]:
        return ["runc", "--root", str(self.host.state_dir.parent / "runc"), *words]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a container ended."""

    code: int
    output: str


def _processes(pids: Sequence[int]) -> Iterator[str]:
    for pid in pids:
        head, _, tail = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        yield head.partition("(")[2] + (" (zombie)" if tail.split()[0] == "Z" else "")


def configuration(host: Host, pod: Pod) -> dict[str, Any]:
    """The OCI configuration, with the seccomp profile that its capabilities lead to."""
    image = pod.image
    capabilities = list(pod.rights.capabilities)
    spec: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": pod.rights.user, "gid": pod.rights.user},
            "args": [*image.get("Entrypoint", ()), *pod.args],
            "env": [*image["Env"], *(f"{name}={value}" for name, value in pod.environment.items())],
            "cwd": image.get("WorkingDir") or "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": str(pod.root), "readonly": True},
        "hostname": host.name,
        "mounts": [*_kernel_mounts(), *(mount.document() for mount in pod.mounts)],
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")),
                {"type": "network", "path": str(host.path)},
            ],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
            "cgroupsPath": f"/{host.netns}",
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        },
    }
    spec["linux"]["seccomp"] = _seccomp(spec)
    return spec


def _kernel_mounts() -> list[dict[str, Any]]:
    plain = ["nosuid", "noexec", "nodev"]
    rows = (
        ("/proc", "proc", "proc", plain),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
        ("/dev/shm", "tmpfs", "shm", [*plain, "mode=1777", "size=65536k"]),
        ("/dev/mqueue", "mqueue", "mqueue", plain),
        ("/sys", "sysfs", "sysfs", [*plain, "ro"]),
    )
    return [
        {"destination": target, "type": kind, "source": source, "options": options}
        for target, kind, source, options in rows
    ]


def _seccomp(spec: Mapping[str, Any]) -> Any:
    program = str(go_program("seccomp"))
    done = subprocess.run(
        [program],
        input=json.dumps(spec),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    return json.loads(done.stdout)
