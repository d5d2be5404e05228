"""Configuration of one process: what options and environment say, checked once, frozen.

Called by the commands in `cli/`. The only module that reads the environment; everything else is
given a `Settings`.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xdpredirect.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One host: a network namespace, its bpffs directory and its state directory."""

    bpffs: Path = Path("/sys/fs/bpf/xdpredirect")
    """Directory in a mounted bpffs that holds our pins, and nothing else."""

    state_dir: Path = Path("/var/lib/xdpredirect")
    """Objects, the copies that were applied last, compiled programs, the lock and status.json."""

    files: Path = Path("/var/lib/xdpredirect/objects")
    """Directory of wanted objects. `read` makes it `<state_dir>/objects` unless it is given, and
    `<state_dir>/node` where the API server says what is wanted."""

    compiler_python: str = "/usr/bin/python3"
    """Interpreter that can import bcc (Debian's python3-bpfcc belongs to /usr/bin/python3)."""

    node_labels: tuple[tuple[str, str], ...] = ()
    """Labels of this machine, sorted by key; nodeSelector is held against them."""

    attach: str = "link"
    """`link`: pinned bpf_link. `netlink`: IFLA_XDP, for kernels or tools that know no links."""

    node: str = ""
    """Name of the node whose XdpRedirectNode the agent follows; empty: it follows `files`."""

    kubeconfig: Path | None = None
    """How to reach the API server; None: as a pod does."""

    namespace: str = "xdp-redirect-system"
    """Of the operator: its lease and the agents' DaemonSet are there."""

    probes: str = ":8080"
    """Where the operator answers /healthz, /readyz and /metrics: address and port."""

    silence_seconds: float = 60.0
    """A node that leaves a change unanswered for so long holds up neither Ready nor a deletion."""

    agents: Path | None = None
    """What the agents' DaemonSet is to be; None: the operator makes none."""

    resync_seconds: float = 30.0
    """The agent looks at everything this often even when nothing was announced."""

    metrics: str = ""
    """Where the agent serves /metrics: address and port; empty: nowhere."""

    sockets_dir: Path = Path("/run/xdpredirect/sockets")
    """Directory of the socket at which the agent hands out AF_XDP sockets."""

    log: str = "text"
    """Log format: `text` or `json`, one line a record, to standard error."""

    @property
    def owns_store(self) -> bool:
        """Whether the wanted objects are those that `xdpredirect apply` keeps."""
        return self.files == self.state_dir / "objects"


class Option(NamedTuple):
    """One setting as people write it. `default` is for reading, in help texts and docs."""

    field: str
    flag: str
    metavar: str
    default: str
    help: str

    @property
    def variable(self) -> str:
        """The environment variable of the same meaning."""
        return "XDPREDIRECT_" + self.flag.removeprefix("--").replace("-", "_").upper()


OPTIONS = (
    Option("bpffs", "--bpffs", "DIR", "/sys/fs/bpf/xdpredirect", "where maps and programs live"),
    Option("state_dir", "--state-dir", "DIR", "/var/lib/xdpredirect", "objects, cache and lock"),
    Option("files", "--files", "DIR", "STATE_DIR/objects", "directory of objects to follow"),
    Option(
        "compiler_python",
        "--compiler-python",
        "FILE",
        "/usr/bin/python3",
        "interpreter that has python3-bpfcc",
    ),
    Option("node_labels", "--node-labels", "K=V,...", "none", "labels for nodeSelector"),
    Option("attach", "--attach", "link|netlink", "link", "how programs are attached"),
    Option("node", "--node", "NAME", "none", "follow the cluster's object of this node instead"),
    Option("kubeconfig", "--kubeconfig", "FILE", "in-cluster", "how to reach the API server"),
    Option("namespace", "--namespace", "NAME", "xdp-redirect-system", "lease and agents are there"),
    Option("probes", "--probes", "ADDRESS:PORT", ":8080", "/healthz, /readyz, /metrics answer"),
    Option(
        "silence_seconds",
        "--silence-seconds",
        "SECONDS",
        "60",
        "a node that answers nothing for so long holds nothing up",
    ),
    Option("agents", "--agents", "FILE", "none", "what the DaemonSet of the agents is to be"),
    Option("resync_seconds", "--resync-seconds", "SECONDS", "30", "agent: look at all this often"),
    Option("metrics", "--metrics", "ADDRESS:PORT", "none", "agent: where /metrics answers"),
    Option(
        "sockets_dir",
        "--sockets-dir",
        "DIR",
        "/run/xdpredirect/sockets",
        "where AF_XDP sockets are handed out",
    ),
    Option("log", "--log", "text|json", "text", "format of the log on standard error"),
)


def read(given: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from options (`given`, by field name), then environment, then defaults.

    An empty value counts as not given. Raises InvalidInput with one line per wrong value.
    """
    source = os.environ if environ is None else environ
    values: dict[str, object] = {}
    problems: list[str] = []
    for option in OPTIONS:
        text, name = given.get(option.field, ""), option.flag
        if not text:
            text, name = source.get(option.variable, ""), option.variable
        if not text:
            continue
        try:
            values[option.field] = _PARSERS[option.field](text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise InvalidInput(tuple(problems))
    if values.get("node") and "files" in values:
        raise InvalidInput(("--node and --files: give one of them, where the objects come from",))
    state_dir = values.get("state_dir", Settings().state_dir)
    assert isinstance(state_dir, Path)
    values.setdefault("files", state_dir / ("node" if values.get("node") else "objects"))
    return Settings(**values)  # type: ignore[arg-type]


def service_address(environ: Mapping[str, str] | None = None) -> str:
    """URL of the API server as kubelet tells it to every pod; empty outside of one."""
    source = os.environ if environ is None else environ
    host = source.get("KUBERNETES_SERVICE_HOST", "")
    port = source.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return ""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def this_pod(environ: Mapping[str, str] | None = None) -> str:
    """Name of the pod that this process runs in; empty outside of one."""
    source = os.environ if environ is None else environ
    return source.get("POD_NAME", "")


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """`k=v,k2=v2` as sorted pairs; ValueError says which part is not one."""
    found: dict[str, str] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise ValueError(f"{part!r} is not a label; write key=value, separated by commas")
        if found.setdefault(key, value) != value:
            raise ValueError(f"label {key!r} is given twice, as {found[key]!r} and {value!r}")
    return tuple(sorted(found.items()))


def _path(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        path = Path.cwd() / path
    return Path(os.path.normpath(path))


def _node_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", text):
        raise ValueError(f"{text!r} is no name of a node; write it as `kubectl get nodes` does")
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address; write such as :8080 or 127.0.0.1:8080")
    return f"{host}:{port}"


def _metrics(text: str) -> str:
    """A port alone is for this machine: the agent is on the host's network, where an address that
    nobody gave would mean all of them."""
    return _address(f"127.0.0.1:{text}" if text.isdigit() else text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; write seconds, such as 30") from None
    if not 0.1 <= value <= 86400:
        raise ValueError(f"{text} is out of range; write 0.1 to 86400 seconds")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is unknown; write {' or '.join(choices)}")
        return text

    return parse


_PARSERS: dict[str, Callable[[str], object]] = {
    "bpffs": _path,
    "state_dir": _path,
    "files": _path,
    "compiler_python": str,
    "node_labels": labels,
    "attach": _one_of("link", "netlink"),
    "node": _node_name,
    "kubeconfig": _path,
    "namespace": _node_name,
    "probes": _address,
    "silence_seconds": _seconds,
    "agents": _path,
    "resync_seconds": _seconds,
    "metrics": _metrics,
    "sockets_dir": _path,
    "log": _one_of("text", "json"),
}
