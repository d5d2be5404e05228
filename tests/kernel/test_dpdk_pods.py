"""Protocol DevicePlugin in pods: dpdk-testpmd of Debian 13 with a NIC that was moved into its pod.

It sends every frame back, so that the wire shows what it has received.
"""

import signal

import pytest

from tests.kernel.documents import blocks
from tests.kernel.dpdk_pods import A, B, PodHanding, whole
from tests.kernel.handing import frames
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.moving import AS_IN_THE_CHART, OWN
from tests.kernel.switch import INGRESS
from tests.kernel.test_dpdk import VXLAN, come_back, misses
from tests.kernel.testpmd import PAGE, of_page

N, BURST, SECONDS = 1000, 50, 60.0
WORDS = of_page(f"iface={OWN},use_cni=1")
BY_ITSELF = [word.partition(",dp_path=")[0] for word in WORDS]
OBJECT = next(block.text for block in blocks(PAGE) if block.file == "dpdk-pods.yaml")


@pytest.fixture
def handing(lab: Lab) -> PodHanding:
    return PodHanding(lab)


@pytest.mark.parametrize("words", [WORDS, BY_ITSELF], ids=["dp_path", "without"])
def test_dpdk_in_a_pod_receives_the_exact_frames(handing: PodHanding, words: list[str]) -> None:
    """The object and the commands of docs/dpdk.md."""
    handing.want_object(OBJECT.replace("eth0", INGRESS))
    with handing.agent(*AS_IN_THE_CHART), handing.pod_of(A) as pod:
        handing.serves()
        handing.give(pod)
        with handing.testpmd(pod, *words) as client:
            client.forwards()
            come_back(handing, [VXLAN[:-4] + number.to_bytes(4, "big") for number in range(N)])
        said = f"map of in: handed to process {client.process.pid} of user 65534 in pod {A}\n"
        assert said in handing.log()
        # Nothing is pinned for it, for a pin would be every pod's whose user has that number.
        assert not (handing.dut.bpffs / "xdpredirect/plugin").exists()


def test_dpdk_in_a_pod_receives_while_objects_change_and_agents_go(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.pod_of(A) as pod, handing.agent() as first:
        handing.serves()
        handing.give(pod)
        with handing.testpmd(pod, *WORDS) as client:
            client.forwards()
            come_back(handing, frames(BURST))
            program = handing.program()
            handing.want(whole(on_miss="Pass"))
            until(lambda: handing.program() != program, "another program")
            come_back(handing, frames(BURST))
            first.send_signal(signal.SIGKILL)
            first.wait(SECONDS)
            come_back(handing, frames(BURST))
            with handing.agent():
                handing.serves()
                handing.want(whole(on_miss="Drop"))
                until(lambda: handing.program() == program, "the first program again")
                come_back(handing, frames(BURST))


def test_dpdk_in_a_pod_whose_device_another_has_is_told_no(handing: PodHanding) -> None:
    handing.want(whole(), (A, B))
    with handing.agent(), handing.pod_of(A) as has_it, handing.pod_of(B, "other") as other:
        handing.serves()
        handing.give(has_it)
        handing.twin(other)
        with handing.testpmd(has_it, *WORDS) as client:
            client.forwards()
            with handing.testpmd(other, *WORDS) as second:
                second.says("Unexpected response [/host_nak]")
            words = f"in pod {B}: WrongNamespace, it is not in the network of pod {B}\n"
            assert words in handing.log()
            before = misses(handing)
            come_back(handing, frames(N))
            assert misses(handing) == before
