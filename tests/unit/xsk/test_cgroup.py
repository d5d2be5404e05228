"""Which pod a process is of, by files as kernels and kubelets write them, and as forgers would."""

import pytest

from xdpredirect.xsk.cgroup import ManyPods, pod_of

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
