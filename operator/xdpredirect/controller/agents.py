"""The DaemonSet of the agents, out of a file that says what of it may differ. Pure.

Called by `process` (reading) and `plan` (comparing). Its pods run on Nodes that carry LABEL, which
the operator sets and takes away: a change of an XdpRedirect then never changes the template, which
would restart every agent (docs/decisions/0009).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdpredirect.controller.plain import Value, child, compact, digest, number, text
from xdpredirect.errors import InvalidInput

Document = dict[str, object]
NAME = "xdp-redirect-agent"
LABEL, LABEL_VALUE = "xdpredirect.io/agent", "wanted"
APPLIED = "xdpredirect.io/applied"
"""Annotation with the digest of what the operator applied."""
_SELECTED = {
    "app.kubernetes.io/name": "xdp-redirect-operator",
    "app.kubernetes.io/component": "agent",
}
_HOST_PATHS = {
    # Pins of links and maps: the datapath outlives the pod.
    "bpffs": ("/sys/fs/bpf", "Directory", False),
    "tracefs": ("/sys/kernel/tracing", "Directory", True),
    "state": ("/var/lib/xdpredirect", "DirectoryOrCreate", False),
}
# Where pods find the socket of their node's agent: they mount the directory, since each agent makes
# a new socket.
_SOCKETS = {"sockets": ("/run/xdpredirect/sockets", "DirectoryOrCreate", False)}
# Where kubelet finds plugins, and the container runtime what claims add to containers.
_PLUGINS = "/var/lib/kubelet/plugins_registry"
_CLAIMS = {
    "plugins": (_PLUGINS, "Directory", False),
    "cdi": ("/var/run/cdi", "DirectoryOrCreate", False),
}
_CAPABILITIES = ("BPF", "NET_ADMIN", "PERFMON")
# AF_XDP sockets need the one, memory of several of them the other.
_FOR_SOCKETS = ("NET_RAW", "IPC_LOCK")
# Over that part of the state directory which tells of this pod alone.
_POD_PATHS = {"tmp": "/tmp", "run": "/var/lib/xdpredirect/run"}
_READY_FILE = f"{_POD_PATHS['run']}/ready"
_KINDS: dict[str, type] = {
    "image": str,
    "imagePullPolicy": str,
    "imagePullSecrets": list,
    "resources": dict,
    "tolerations": list,
    "priorityClassName": str,
    "updateStrategy": dict,
    "minReadySeconds": int,
    "podAnnotations": dict,
    "env": list,
    "metricsPort": int,
    "sockets": bool,
    "claims": bool,
}
_WORDS: dict[type, str] = {
    str: "a text",
    list: "a list",
    dict: "a mapping",
    int: "a number",
    bool: "true or false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """What the file says; each field as Kubernetes names and means it. An agent is wanted wherever
    an object is, so by default it tolerates everything and goes last. `min_ready_seconds` is longer
    than a resync (30 s): an agent that dies in its second pass stops the update. `metrics_port` 0:
    none. `sockets`: it may hand out AF_XDP sockets, for which it needs more than for all the rest.
    `claims`: pods may claim queues, in a cluster with resource.k8s.io/v1."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[object, ...] = ()
    resources: Mapping[str, object] = field(
        default_factory=lambda: {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        }
    )
    tolerations: tuple[object, ...] = ({"operator": "Exists"},)
    priority_class_name: str = "system-node-critical"
    update_strategy: Mapping[str, object] = field(
        default_factory=lambda: {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "10%"},
        }
    )
    min_ready_seconds: int = 40
    pod_annotations: Mapping[str, object] = field(default_factory=dict)
    env: tuple[object, ...] = ()
    metrics_port: int = 0
    sockets: bool = False
    claims: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSet:
    """The DaemonSet as it is there."""

    uid: str
    generation: int
    applied: str


def read_agents(value: object) -> Agents:
    """The content of the file. Raises InvalidInput with one sentence per problem."""
    if not isinstance(value, Mapping):
        raise InvalidInput(("must be a mapping such as {image: registry/agent:1.0}",))
    problems = [
        f"{name}: is unknown; known are {', '.join(_KINDS)}" for name in value if name not in _KINDS
    ]
    for name, kind in _KINDS.items():
        if name in value and not isinstance(value[name], kind):
            problems.append(f"{name}: must be {_WORDS[kind]}")
    if not value.get("image"):
        problems.append("image: is missing; write the image that the agents' pods run")
    if not problems and not 0 <= value.get("metricsPort", 0) <= 65535:
        problems.append("metricsPort: is no port; write 1 to 65535, or 0 for no metrics")
    if value.get("claims") and not value.get("sockets"):
        problems.append("claims: are of sockets; write sockets: true, too")
    if problems:
        raise InvalidInput(tuple(problems))
    given = {_snake(name): _frozen(item) for name, item in value.items()}
    return Agents(**given)  # type: ignore[arg-type]


def read_daemon_set(document: Value) -> DaemonSet:
    """Of a DaemonSet as the API server sends it."""
    metadata = child(document, "metadata")
    return DaemonSet(
        uid=text(metadata, "uid"),
        generation=number(metadata, "generation"),
        applied=text(child(metadata, "annotations"), APPLIED),
    )


def daemon_set(agents: Agents, namespace: str) -> Document:
    """The DaemonSet as it is applied, with its own digest in an annotation."""
    spec: Document = {
        "selector": {"matchLabels": _SELECTED},
        "updateStrategy": dict(agents.update_strategy),
        "minReadySeconds": agents.min_ready_seconds,
        "template": {
            "metadata": {"labels": _SELECTED, "annotations": dict(agents.pod_annotations)},
            "spec": _pod(agents),
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": _SELECTED,
            "annotations": {APPLIED: digest(compact(spec))},
        },
        "spec": spec,
    }


def _host_paths(agents: Agents) -> Mapping[str, tuple[str, str, bool]]:
    claims = _CLAIMS if agents.claims else {}
    return _HOST_PATHS | (_SOCKETS if agents.sockets else {}) | claims


def _pod(agents: Agents) -> Document:
    volumes: list[object] = [
        {"name": name, "hostPath": {"path": path, "type": kind}}
        for name, (path, kind, _) in _host_paths(agents).items()
    ]
    return {
        "serviceAccountName": NAME,
        "nodeSelector": {LABEL: LABEL_VALUE},
        # The interfaces are the host's.
        "hostNetwork": True,
        # Who asks for a socket is found out by the number of its process.
        **({"hostPID": True} if agents.sockets else {}),
        "dnsPolicy": "ClusterFirstWithHostNet",
        "priorityClassName": agents.priority_class_name,
        "tolerations": list(agents.tolerations),
        "imagePullSecrets": list(agents.image_pull_secrets),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(agents)],
        "volumes": [*volumes, *({"name": name, "emptyDir": {}} for name in _POD_PATHS)],
    }


def _container(agents: Agents) -> Document:
    mounts: list[object] = [
        {"name": name, "mountPath": path, "readOnly": only_read}
        for name, (path, _, only_read) in _host_paths(agents).items()
    ]
    node_name = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    args, env, ports = _metrics(agents.metrics_port)
    args += ["--plugins-dir", _PLUGINS] if agents.claims else []
    return {
        "name": "agent",
        "image": agents.image,
        "imagePullPolicy": agents.image_pull_policy,
        "command": ["xdpredirect"],
        "args": ["agent", "--log", "json", *args],
        "env": [{"name": "XDPREDIRECT_NODE", "valueFrom": node_name}, *env, *agents.env],
        **ports,
        "resources": dict(agents.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {
                "drop": ["ALL"],
                "add": [*_CAPABILITIES, *(_FOR_SOCKETS if agents.sockets else ())],
            },
        },
        "readinessProbe": {
            # The agent keeps a file: starting a Python every ten seconds, on every node, would
            # cost more than the agent does.
            "exec": {"command": ["test", "-e", _READY_FILE]},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
        },
        "volumeMounts": [
            *mounts,
            *({"name": name, "mountPath": path} for name, path in _POD_PATHS.items()),
        ],
    }


def _metrics(port: int) -> tuple[list[object], list[object], Document]:
    """Arguments, variables and ports. On the node's address alone, not on every one of the host."""
    if not port:
        return [], [], {}
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    return (
        ["--metrics", f"$(POD_IP):{port}"],
        [{"name": "POD_IP", "valueFrom": address}],
        {"ports": [{"name": "metrics", "containerPort": port, "protocol": "TCP"}]},
    )


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
