"""Which pod a process is of, by files as kernels and kubelets write them, and as forgers would."""

import pytest

from xdpredirect.xsk.cgroup import ManyPods, kubelet_roots, pod_of

UID = "7a1c2f6e-0d3b-4b8e-9f60-1d2f3a4b5c6d"
OTHER = "00000000-1111-2222-3333-444444444444"
UNDER = UID.replace("-", "_")
BURSTABLE = "/kubepods.slice/kubepods-burstable.slice"

PODS = {
    "systemd, guaranteed": f"0::/kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-a.scope",
    "systemd, burstable": f"0::{BURSTABLE}/kubepods-burstable-pod{UNDER}.slice/cri-a.scope",
    "systemd, best effort": (
        f"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDER}.slice/crio-a"
    ),
    "cgroupfs, guaranteed": f"0::/kubepods/pod{UID}/a",
    "cgroupfs, burstable": f"0::/kubepods/burstable/pod{UID}/a",
    "v1": f"12:memory:/kubepods/burstable/pod{UID}/a\n1:name=x:/kubepods/burstable/pod{UID}/a",
    "v1, host in some": f"3:cpuset:/\n2:memory:/kubepods/besteffort/pod{UID}/a\n0::/",
    "kind": f"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UNDER}.slice/cri-a",
    "from another pod, systemd": f"0::/../../kubepods-burstable-pod{UNDER}.slice/cri-a.scope",
    "from another class": (
        f"0::/../../../kubepods-besteffort.slice/kubepods-besteffort-pod{UNDER}.slice"
    ),
    "from another pod, cgroupfs": f"0::/../../pod{UID}/a",
    "below the container": f"0::/kubepods/pod{UID}/a/init.scope",
    "a pod inside it": f"0::/kubepods/pod{UID}/a/kubepods/pod{OTHER}/b",
}

HOST = {
    "root": "0::/",
    "service": "0::/system.slice/sshd.service",
    "session": "0::/user.slice/user-1000.slice/session-1.scope",
    "docker": "0::/system.slice/docker-0123456789abcdef.scope",
    "empty": "",
    "colons": "0::/a:b/c",
}


@pytest.mark.parametrize("name", PODS)
def test_of_the_pod(name: str) -> None:
    assert pod_of(PODS[name] + "\n") == UID


@pytest.mark.parametrize("name", HOST)
def test_of_the_host(name: str) -> None:
    assert pod_of(HOST[name] + "\n") == ""


def test_a_static_pod_has_a_hash() -> None:
    number = "0123456789abcdef0123456789abcdef"
    assert pod_of(f"0::/kubepods/pod{number}/a") == number


def test_two_pods_are_none() -> None:
    with pytest.raises(ManyPods):
        pod_of(f"2:memory:/kubepods/pod{UID}/a\n0::/kubepods/pod{OTHER}/a\n")


ROOTS = {
    "no pod": ("0::/system.slice/xdpredirect.service", {}),
    "the root": (f"0::/kubepods/pod{UID}/a", {}),
    "kind": (f"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UNDER}.slice/a", {}),
    "from another namespace": (f"0::/../../pod{UID}/a", {}),
    "its own namespace": ("0::/", {}),
    "elsewhere": (f"0::/node-a/kubepods/burstable/pod{UID}/a", {"0": "/node-a"}),
    "deeper": (f"0::/docker/abc{BURSTABLE}/kubepods-burstable-pod{UNDER}.slice/a",
               {"0": "/docker/abc"}),
    "in one of several": (
        f"2:memory:/node-a/kubepods/pod{UID}/a\n1:cpuset:/kubepods/pod{UID}/a\n0::/",
        {"2": "/node-a"},
    ),
    "not the pod inside": (f"0::/kubepods/pod{OTHER}/a/kubepods/pod{UID}/b", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ROOTS)
def test_where_the_kubelet_begins(name: str) -> None:
    own, roots = ROOTS[name]
    assert kubelet_roots(own + "\n") == roots


@pytest.mark.parametrize(
    ("path", "pod"),
    [
        (f"/node-a/kubepods/burstable/pod{UID}/a", UID),
        (f"/node-a/kubepods/pod{OTHER}/node-a/kubepods/pod{UID}/a", OTHER),
        ("/node-a", ""),
        ("/node-a/system.slice/a", ""),
        ("/", ""),
    ],
)
def test_pods_of_a_kubelet_that_begins_elsewhere(path: str, pod: str) -> None:
    assert pod_of(f"0::{path}\n", {"0": "/node-a"}) == pod


@pytest.mark.parametrize(
    "path",
    [
        f"/node-b/kubepods/pod{UID}/a",
        f"/node-a/node-a/kubepods/pod{UID}/a",
        f"/node-aa/kubepods/pod{UID}/a",
        f"/kubepods/pod{UID}/a",
        f"/node-a/user.slice/kubepods/pod{UID}/a",
    ],
)
def test_pods_of_another_kubelet_are_not_known(path: str) -> None:
    with pytest.raises(ManyPods, match="not where a kubelet makes it"):
        pod_of(f"0::{path}\n", {"0": "/node-a"})
