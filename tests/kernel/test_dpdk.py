"""Protocol DevicePlugin with the client that it is for: dpdk-testpmd of Debian 13.

It sends every frame back, so that the wire shows what it has received.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.kernel.handing import Handing, frames, thing
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.testpmd import testpmd

N, BURST, SECONDS = 1000, 50, 20.0
CNI = "use_cni=1,dp_path=/sockets/afxdp_dp/in/afxdp.sock"
PINNED = "use_pinned_map=1,dp_path=/bpf/xdpredirect/plugin/in/xsks_map"
PIN = "xdpredirect/plugin/in/xsks_map"
NOBODY, ANOTHER = 65534, 1
both_ways = pytest.mark.parametrize("vdev", [CNI, PINNED], ids=["use_cni", "use_pinned_map"])


def plugin(user: int = NOBODY, queues: str = "0") -> str:
    """The action."""
    client = f"clients: [{{type: Users, users: ['{user}']}}]"
    given = f"queues: '{queues}', {client}, protocol: DevicePlugin, access: ReceiveTransmit"
    return f"{{type: Sockets, sockets: {{{given}}}, onMiss: Drop}}"


@pytest.fixture
def handing(lab: Lab, tmp_path: Path) -> Handing:
    return Handing(lab, tmp_path / "wanted")


def socket_of(handing: Handing) -> Path:
    """Where DPDK finds the server."""
    return handing.dut.state_dir / "sockets" / "afxdp_dp" / "in" / "afxdp.sock"


def pinned_for(handing: Handing) -> int:
    """The user whose pin there is, -1 without one."""
    path = handing.dut.bpffs / PIN
    return path.stat().st_uid if path.exists() else -1


@contextmanager
def serving(handing: Handing, user: int = NOBODY) -> Iterator[Popen[str]]:
    """An agent, from when the map can be had both ways."""
    with handing.agent() as agent:
        until(socket_of(handing).exists, "the socket of the device plugin's protocol")
        until(lambda: pinned_for(handing) == user, "the pin")
        yield agent


def come_back(handing: Handing, sent: list[bytes]) -> None:
    """Each frame is returned once, octet by octet."""
    with handing.far.counter() as back:
        for start in range(0, len(sent), BURST):
            handing.far.send(sent[start : start + BURST])
            back.wait(start + BURST, SECONDS)
        assert back.exactly(len(sent)) == sent


def misses(handing: Handing) -> int:
    """Frames of the rule for which its map had no socket."""
    (counted,) = thing(handing)["rules"]
    return int(counted["misses"])


@both_ways
def test_dpdk_receives_the_exact_frames(handing: Handing, vdev: str) -> None:
    handing.want(plugin())
    with serving(handing), testpmd(handing, vdev) as client:
        client.forwards()
        come_back(handing, frames(N))


@both_ways
def test_dpdk_of_another_user_ends_with_an_error(handing: Handing, vdev: str) -> None:
    handing.want(plugin(ANOTHER))
    with serving(handing, ANOTHER), testpmd(handing, vdev) as client:
        # Not by SIGPIPE, and not with descriptor 0 for a map.
        assert client.ends() == 1, client.said
        assert "Failed to re" in client.said, client.said


def test_dpdk_asks_once_for_each_queue(lab: Lab, tmp_path: Path) -> None:
    handing = Handing(lab, tmp_path / "wanted", queues=2)
    handing.want(plugin(queues="0-1"))
    with serving(handing):
        with testpmd(handing, f"{CNI},queue_count=2", "--rxq=2", "--txq=2") as client:
            client.forwards()
            come_back(handing, frames(N))
        said = (handing.dut.state_dir / "agent.log").read_text()
        assert said.count("map of in: handed to process") == 2


def test_dpdk_receives_while_agents_come_and_go(handing: Handing) -> None:
    handing.want(plugin())
    with serving(handing) as first, testpmd(handing, CNI) as client:
        client.forwards()
        first.send_signal(signal.SIGKILL)
        first.wait(SECONDS)
        come_back(handing, frames(N))
        with serving(handing):
            come_back(handing, frames(N))


def test_a_client_that_is_no_more_named_holds_a_map_that_leads_nowhere(handing: Handing) -> None:
    handing.want(plugin())
    with serving(handing), testpmd(handing, PINNED) as client:
        client.forwards()
        come_back(handing, frames(BURST))
        handing.want(plugin(ANOTHER))
        until(lambda: pinned_for(handing) == ANOTHER, "the other user's pin")
        before = misses(handing)
        with handing.far.counter() as back:
            handing.far.send(frames(N))
            assert back.settled() == []
        assert misses(handing) == before + N


def test_everything_goes_with_its_rule(handing: Handing) -> None:
    handing.want(plugin())
    with serving(handing):
        assert (handing.dut.bpffs / PIN).stat().st_mode & 0o777 == 0o600
        handing.want("{type: Drop}")
        until(lambda: not socket_of(handing).exists(), "the end of the server")
        until(lambda: pinned_for(handing) == -1, "the end of the pin")
        assert not (handing.dut.bpffs / PIN).parents[1].exists()


def test_without_cap_chown_there_is_no_pin_but_a_finding(handing: Handing) -> None:
    handing.want(plugin())
    with handing.agent("setpriv", "--bounding-set=-chown", "--no-new-privs"):
        until(socket_of(handing).exists, "the socket of the device plugin's protocol")
        until(lambda: bool(thing(handing)["findings"]), "the finding")
        assert pinned_for(handing) == -1
        (finding,) = thing(handing)["findings"]
        assert (finding["reason"], finding["severity"]) == ("MapNotPinned", "Info")
        with testpmd(handing, CNI) as client:
            client.forwards()
            come_back(handing, frames(BURST))
