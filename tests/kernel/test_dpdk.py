"""Protocol DevicePlugin with the client that it is for: dpdk-testpmd of Debian 13.

It sends every frame back, so that the wire shows what it has received.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.kernel.documents import blocks
from tests.kernel.handing import STATUS, Handing, frames
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.switch import INGRESS, udp
from tests.kernel.test_actions_sockets import arrived
from tests.kernel.testpmd import PAGE, of_page, testpmd
from tests.kernel.xsk import XdpSocket
from tests.unit.xsk.plugin import Client
from xdpredirect.datapath.abi import U32
from xdpredirect.kernel.maps import Map, map_spec
from xdpredirect.xsk.uapi import AF_XDP, SO_BUSY_POLL, SO_PREFER_BUSY_POLL

N, BURST, SECONDS = 1000, 50, 20.0
CNI, PINNED = of_page("iface=eth0,use_cni=1"), of_page("use_pinned_map=1")
PIN = "xdpredirect/plugin/in/xsks_map"
NOBODY, ANOTHER = 65534, 1
OBJECT = next(block.text for block in blocks(PAGE) if block.file == "dpdk.yaml")
VXLAN = udp(4789)
PRODUCT = [sys.executable, "-m", "xdpredirect"]
POLLS = (SO_PREFER_BUSY_POLL, SO_BUSY_POLL)
TWO_PORTS = ("--total-num-mbufs=8192", "--port-topology=loop")


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
        ready(handing, user)
        yield agent


def ready(handing: Handing, user: int = NOBODY) -> None:
    """Waits until the map can be had both ways."""
    until(socket_of(handing).exists, "the socket of the device plugin's protocol")
    until(lambda: pinned_for(handing) == user, "the pin")


def come_back(handing: Handing, sent: list[bytes]) -> None:
    """Each frame is returned once, octet by octet."""
    with handing.far.counter() as back:
        for start in range(0, len(sent), BURST):
            handing.far.send(sent[start : start + BURST])
            back.wait(start + BURST, SECONDS)
        assert back.exactly(len(sent)) == sent


def reported(handing: Handing) -> Any:
    """The report of `xdpredirect status`."""
    return json.loads(handing.dut.run([*STATUS, "-o", "json"]).stdout)["report"]


def findings(handing: Handing) -> set[tuple[str, str]]:
    """Reason and severity of each."""
    (found,) = reported(handing)["objects"]
    return {(finding["reason"], finding["severity"]) for finding in found["findings"]}


def misses(handing: Handing) -> int:
    """Frames of the rule for which its map had no socket."""
    (interface,) = reported(handing)["interfaces"]
    (rule,) = interface["rules"]
    return int(rule["counters"]["misses"])


@pytest.mark.parametrize("words", [CNI, PINNED], ids=["use_cni", "use_pinned_map"])
def test_dpdk_receives_the_exact_frames(handing: Handing, tmp_path: Path, words: list[str]) -> None:
    """The object and the commands of docs/dpdk.md."""
    assert "\n$ xdpredirect apply -f dpdk.yaml\n" in PAGE.read_text()
    (tmp_path / "dpdk.yaml").write_text(OBJECT.replace("eth0", INGRESS))
    with handing.agent(files=handing.dut.state_dir / "objects"):
        until((handing.dut.state_dir / "status.json").exists, "the first pass")
        handing.dut.run([*PRODUCT, "apply", "-f", str(tmp_path / "dpdk.yaml")])
        ready(handing)
        with testpmd(handing, *words) as client:
            client.forwards()
            come_back(handing, [VXLAN[:-4] + number.to_bytes(4, "big") for number in range(N)])


@pytest.mark.parametrize(
    ("words", "said"),
    [(CNI, "Unexpected response [/host_nak]"), (PINNED, "Failed to retrieve pinned map fd")],
    ids=["use_cni", "use_pinned_map"],
)
def test_dpdk_of_another_user_gets_nothing(handing: Handing, words: list[str], said: str) -> None:
    handing.want(plugin(ANOTHER))
    with serving(handing, ANOTHER), testpmd(handing, *words) as client:
        # DPDK 24.11 goes on as if it had the map (xsk_configure returns 0), and may crash.
        client.says(said)
        before = misses(handing)
        handing.far.send(frames(N))
        until(lambda: misses(handing) == before + N, "misses")


def test_dpdk_asks_for_each_queue(lab: Lab, tmp_path: Path) -> None:
    handing = Handing(lab, tmp_path / "wanted", queues=2)
    handing.want(plugin(queues="0-1"))
    one = CNI.index("--vdev") + 1
    more = ["--vdev", CNI[one].replace("net_af_xdp0", "net_af_xdp1") + ",start_queue=1"]
    words = [*CNI[: one + 1], *more, *CNI[one + 1 :], *TWO_PORTS]
    with serving(handing), testpmd(handing, *words) as client:
        client.forwards()
        come_back(handing, frames(N))
    said = (handing.dut.state_dir / "agent.log").read_text()
    assert said.count("map of in: handed to process") == 2


def test_what_cndp_does_with_the_map_and_busy_polling(handing: Handing) -> None:
    handing.want(plugin(user=0))
    with serving(handing, user=0), closing(XdpSocket(handing.near)) as made:
        made.bind()
        with Client(handing.dut.state_dir / "sockets", INGRESS) as client:
            assert client.say(b"/connect,pod-1") == b"/host_ok"
            assert client.say(f"/xsk_map_fd,{INGRESS}".encode()) == b"/fd_ack"
            answer = client.say(b"/config_busy_poll,20,64", made.fd)
            assert client.say(b"/fin") == b"/fin_ack"
            slots = Map(client.received[0], map_spec(client.received[0]))
            slots.put(U32.pack(0), U32.pack(made.fd))
        with socket.socket(AF_XDP, socket.SOCK_RAW, 0, fileno=os.dup(made.fd)) as xsk:
            polls = [xsk.getsockopt(socket.SOL_SOCKET, option) for option in POLLS]
        assert (answer, polls) == (b"/config_busy_poll_ack", [1, 20])
        sent = frames(BURST)
        handing.far.send(sent)
        assert arrived(made, BURST) == sent


def test_dpdk_receives_while_agents_come_and_go(handing: Handing) -> None:
    handing.want(plugin())
    with serving(handing) as first, testpmd(handing, *CNI) as client:
        client.forwards()
        first.send_signal(signal.SIGKILL)
        first.wait(SECONDS)
        come_back(handing, frames(N))
        with serving(handing):
            come_back(handing, frames(N))


def test_a_client_that_is_no_more_named_holds_a_map_that_leads_nowhere(handing: Handing) -> None:
    handing.want(plugin())
    with serving(handing), testpmd(handing, *PINNED) as client:
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
        until(lambda: ("MapNotPinned", "Info") in findings(handing), "the finding")
        assert pinned_for(handing) == -1
        with testpmd(handing, *CNI) as client:
            client.forwards()
            come_back(handing, frames(BURST))
