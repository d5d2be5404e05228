"""What the programs of a node are told: kubelet, containerd, CNI. Pure; called by `machine`.

Paths are the usual ones of a Kubernetes node, because on the node they are its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
DIRECTORY = Path("/run/node")
"""On the node: the files of this module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One node. `pods` is its range of pod addresses; `cgroup` its root in every hierarchy."""

    name: str
    address: str
    pods: str
    cgroup: str
    pause: str
    programs: Path
    """Directory with the CNI plugins."""


def files(plan: Plan, kubeconfig: str, authority: str) -> Mapping[str, str]:
    """Content by path below DIRECTORY. `authority` is the certificate that the kubeconfig names by
    a path which the node does not have.
    """
    document = json.loads(kubeconfig)
    document["clusters"][0]["cluster"]["certificate-authority"] = str(DIRECTORY / "ca.crt")
    return {
        "kubelet.json": json.dumps(kubelet(plan), indent=1),
        "kubeconfig": json.dumps(document, indent=1),
        "ca.crt": authority,
        # Nobody answers names here; pods get one that says so at once instead of the machine's.
        "resolv.conf": "",
        "containerd.toml": containerd(plan),
        "cni/10-pods.conflist": json.dumps(cni(plan), indent=1),
    }


def kubelet(plan: Plan) -> Mapping[str, Any]:
    """KubeletConfiguration. Whoever reaches the node's address may ask it anything: only the
    control plane and the other nodes of the test do.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "resolvConf": str(DIRECTORY / "resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
        # Several kubelets share the machine's hierarchies.
        "cgroupRoot": f"/{plan.cgroup}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "failSwapOn": False,
        # What failed is tried again soon: a pod whose claims nobody prepares after a minute and a
        # half otherwise, a container that has ended after ten seconds, then twenty.
        "syncFrequency": "5s",
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        # The disk is the machine's, and how full it is no node's fault.
        "evictionHard": {
            "memory.available": "0%",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "imageGCHighThresholdPercent": 100,
    }


def containerd(plan: Plan) -> str:
    """Its config.toml."""
    return f"""\
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{plan.pause}"

[plugins."io.containerd.cri.v1.runtime"]
disable_apparmor = true
# Without CAP_SYS_RESOURCE runc dies of lowering one.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plan.programs}"]
conf_dir = "{DIRECTORY / "cni"}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def cni(plan: Plan) -> Mapping[str, Any]:
    """A bridge on the node. No address is translated: the network knows the way to every pod."""
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": plan.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/cni",
                },
            }
        ],
    }
