"""Configuration of one process: what options and environment say, checked once, frozen.

Called by the commands in `cli/`. The only module that reads the environment; everything else is
given a `Settings`.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xdpredirect.errors import InvalidInput
from xdpredirect.option_values import address, labels, metrics, node_name, one_of, path, seconds


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

    report_seconds: float = 30.0
    """Counters of a node reach the API server this often, and up to a fifth later."""

    metrics: str = ""
    """Where the agent serves /metrics: address and port; empty: nowhere."""

    sockets_dir: Path = Path("/run/xdpredirect/sockets")
    """Directory of the socket at which the agent hands out AF_XDP sockets."""

    plugins_dir: Path | None = None
    """Where kubelet looks for plugins: the agent serves ResourceClaims there. None: it does not."""

    cdi_dir: Path = Path("/var/run/cdi")
    """Where the container runtime reads what claims add to containers."""

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
    Option(
        "report_seconds", "--report-seconds", "SECONDS", "30", "agent: report counters so often"
    ),
    Option("metrics", "--metrics", "ADDRESS:PORT", "none", "agent: where /metrics answers"),
    Option(
        "sockets_dir",
        "--sockets-dir",
        "DIR",
        "/run/xdpredirect/sockets",
        "where AF_XDP sockets are handed out",
    ),
    Option("plugins_dir", "--plugins-dir", "DIR", "none", "kubelet's: pods may claim queues"),
    Option("cdi_dir", "--cdi-dir", "DIR", "/var/run/cdi", "the container runtime's, for claims"),
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
    if values.get("plugins_dir") and not values.get("node"):
        raise InvalidInput(("--plugins-dir: needs --node, whose pods may claim queues",))
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


_PARSERS: dict[str, Callable[[str], object]] = {
    "bpffs": path,
    "state_dir": path,
    "files": path,
    "compiler_python": str,
    "node_labels": labels,
    "attach": one_of("link", "netlink"),
    "node": node_name,
    "kubeconfig": path,
    "namespace": node_name,
    "probes": address,
    "silence_seconds": seconds,
    "agents": path,
    "resync_seconds": seconds,
    "report_seconds": seconds,
    "metrics": metrics,
    "sockets_dir": path,
    "plugins_dir": path,
    "cdi_dir": path,
    "log": one_of("text", "json"),
}
