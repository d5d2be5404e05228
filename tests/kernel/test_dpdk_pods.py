"""Protocol DevicePlugin in pods: dpdk-testpmd of Debian 13 with a NIC that was moved into its pod.

It sends every frame back, so that the wire shows what it has received.
"""

import pytest

from tests.kernel.dpdk_pods import A, PodHanding, whole
from tests.kernel.handing import frames
from tests.kernel.lab import Lab
from tests.kernel.moving import OWN
from tests.kernel.test_dpdk import CNI, come_back

N = 1000
WORDS = [word.replace("iface=in", f"iface={OWN}") for word in CNI]


@pytest.fixture
def handing(lab: Lab) -> PodHanding:
    return PodHanding(lab)


def test_dpdk_in_a_pod_receives_the_exact_frames(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(A) as pod:
        handing.serves()
        handing.give(pod)
        with handing.testpmd(pod, *WORDS) as client:
            client.forwards()
            come_back(handing, frames(N))
    assert f"in: handed to process {client.process.pid} of user 65534 in pod {A}" in handing.log()
