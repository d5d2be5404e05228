"""Who holds which socket and what it lost, in `xdpredirect status`, and that no frame is lost twice
on paper."""

import signal
from pathlib import Path

import pytest

from tests.kernel.handing import STATUS, Handing, frames, held, sockets, taken, thing
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.powerless import NOBODY

RING = 2048
"""Frames of a socket of `xdpredirect receive`."""
N = RING + 500


@pytest.fixture
def handing(lab: Lab, tmp_path: Path) -> Handing:
    return Handing(lab, tmp_path / "wanted")


def not_handed_out(handing: Handing) -> str:
    """The finding that says why nobody can take a socket; empty when there is none."""
    found = thing(handing)["findings"]
    return next((f["message"] for f in found if f["reason"] == "SocketsNotHandedOut"), "")


def test_who_holds_it_and_what_it_lost(handing: Handing) -> None:
    handing.want(sockets("0"))
    with handing.agent() as agent:
        handing.serves()
        with handing.receiver("--quiet") as client:
            taken(client)
            # Nobody had to wait for a resync.
            until(lambda: bool(held(handing)), "the socket in the status")
            (one,) = held(handing)
            assert one == {
                "rule": "r",
                "interface": "in",
                "queue": 0,
                "state": "Held",
                "mode": "Copy",
                "pid": client.pid,
                "user": NOBODY,
                "pod": "",
                "ringFull": 0,
                "fillRingEmpty": 0,
                "dropped": 0,
            }
            table = handing.dut.run(STATUS).stdout
            assert f"pid {client.pid}," in table
            client.send_signal(signal.SIGSTOP)
            handing.far.send(frames(N))
            # A change, for a pass.
            handing.want(sockets("0", on_miss="Pass"))
            until(lambda: held(handing)[0]["fillRingEmpty"] == N - RING, "its statistics")
            (one,) = held(handing)
            assert (one["ringFull"], one["dropped"]) == (0, 0)
            client.send_signal(signal.SIGCONT)
        until(lambda: not held(handing), "the end of the socket in the status")
        # A pass of the agent took its last statistics; the monitor has counted these frames.
        (loss,) = thing(handing)["losses"]
        assert (loss["reason"], loss["errno"], loss["packets"]) == (
            *("SocketFillRingEmpty", "ENOMEM"),
            N - RING,
        )
        assert (loss["rule"], loss["target"]) == ("r", "socket 0")
        agent.terminate()
        assert agent.wait(60) == 0
    assert "no agent is running" in not_handed_out(handing)


def test_a_socket_taken_back_is_releasing_until_it_is_closed(handing: Handing) -> None:
    handing.want(sockets("0"))
    with handing.agent():
        handing.serves()
        with handing.receiver() as client:
            taken(client)
            client.send_signal(signal.SIGSTOP)
            handing.want(sockets("0").replace("65534", "0"))
            until(lambda: [o["state"] for o in held(handing)] == ["Releasing"], "Releasing")
            (one,) = held(handing)
            assert (one["pid"], one["user"]) == (client.pid, NOBODY)
            handing.far.send(frames(10))
            client.send_signal(signal.SIGCONT)
            output, _ = client.communicate(timeout=60)
            # It was told; nothing had arrived since.
            assert "Withdrawn" in output
            assert "0 frames" in output
        until(lambda: not held(handing), "the end of Releasing")


def test_a_broker_that_cannot_listen_stops_nothing_else(handing: Handing) -> None:
    handing.socket.parent.parent.joinpath("sockets").write_text("in the way")
    handing.want(sockets("0"))
    with handing.agent() as agent:
        until(lambda: bool(handing.dut.pins()), "the datapath")
        until(lambda: "sockets: " in not_handed_out(handing), "the finding")
        handing.socket.parent.unlink()
        # Any change brings the next pass.
        handing.want(sockets("0-1"))
        handing.serves()
        until(lambda: not not_handed_out(handing), "the end of the finding")
        assert agent.poll() is None


def test_an_agent_without_the_capability_says_so_and_redirects(handing: Handing) -> None:
    handing.want(sockets("0", on_miss="Pass"))
    with handing.agent("setpriv", "--bounding-set=-net_raw"):
        # Until there is an agent, its directory is nobody's, and status shows no object of it.
        until(lambda: bool(handing.dut.pins()), "the datapath")
        until(lambda: "lacks CAP_NET_RAW" in not_handed_out(handing), "the finding")
        assert not handing.socket.exists()
        with handing.near.counter() as stack:
            sent = frames(10)
            handing.far.send(sent)
            assert stack.wait(len(sent)) == sent
