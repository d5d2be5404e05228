"""What resembles a pod where no kubelet makes one: neither that pod, nor a process of the host."""

import pytest

from xdpredirect.xsk.cgroup import ManyPods, pod_of

UID = "7a1c2f6e-0d3b-4b8e-9f60-1d2f3a4b5c6d"
UNDER = UID.replace("-", "_")

ELSEWHERE = {
    "made by a user, cgroupfs": f"0::/user.slice/user@1000.service/kubepods/pod{UID}/a",
    "made by a user, systemd": (
        "0::/user.slice/user-1000.slice/user@1000.service/kubepods.slice/kubepods-burstable.slice"
        f"/kubepods-burstable-pod{UNDER}.slice/a"
    ),
    "a kubelet with a root of its own": f"0::/machines/one/kubepods/burstable/pod{UID}/a",
    "a kubelet in a container": f"0::/docker/0123456789abcdef/kubelet/kubepods/pod{UID}/a",
    "without kubepods": f"0::/machines/pod{UID}/a",
    "a name that ends like one": f"0::/system.slice/x-kubepods-pod{UNDER}.slice",
    "a name that begins like one": f"0::/kubepods/pod{UID}x/a",
    "an upper-case one": f"0::/kubepods/pod{UID.upper()}/a",
    "too short": "0::/kubepods/pod7a1c2f6e/a",
    "kubepods alone": "0::/kubepods",
    "colons": f"0::/a:b/kubepods/pod{UID}",
    "in one hierarchy of many": f"2:memory:/\n1:name=systemd:/x/kubepods/pod{UID}/a\n0::/",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_nobody_knows(name: str) -> None:
    with pytest.raises(ManyPods, match="not where a kubelet makes it"):
        pod_of(ELSEWHERE[name] + "\n")


def test_a_pod_that_is_known_may_make_what_it_likes_below() -> None:
    assert pod_of(f"0::/kubepods/pod{UID}/a/user.slice/kubepods/x") == UID
