"""Protocol DevicePlugin with the client that it is for: dpdk-testpmd of Debian 13."""

from pathlib import Path

import pytest

from tests.kernel.handing import Handing, frames
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.testpmd import testpmd

N = 1000
CNI = "use_cni=1,dp_path=/sockets/afxdp_dp/in/afxdp.sock"
PINNED = "use_pinned_map=1,dp_path=/bpf/xdpredirect/plugin/in/xsks_map"
BURST = 50


def plugin(queues: str = "0", user: int = 65534) -> str:
    """The action."""
    client = f"clients: [{{type: Users, users: ['{user}']}}]"
    given = f"queues: '{queues}', {client}, protocol: DevicePlugin, access: ReceiveTransmit"
    return f"{{type: Sockets, sockets: {{{given}}}, onMiss: Drop}}"


@pytest.fixture
def handing(lab: Lab, tmp_path: Path) -> Handing:
    return Handing(lab, tmp_path / "wanted")


def served(handing: Handing) -> None:
    """Waits until there is a map to be had."""
    path = handing.dut.state_dir / "sockets" / "afxdp_dp" / "in" / "afxdp.sock"
    until(path.exists, "the socket of the device plugin's protocol")


@pytest.mark.parametrize("vdev", [CNI, PINNED], ids=["use_cni", "use_pinned_map"])
def test_dpdk_receives_the_exact_frames(handing: Handing, vdev: str) -> None:
    handing.want(plugin())
    with handing.agent():
        served(handing)
        with testpmd(handing, vdev) as client:
            client.forwards()
            sent = frames(N)
            with handing.far.counter() as back:
                for start in range(0, N, BURST):
                    handing.far.send(sent[start : start + BURST])
                    back.wait(start + BURST)
                assert back.exactly(N) == sent
