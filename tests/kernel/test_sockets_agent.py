"""The agent hands out AF_XDP sockets while a rule of type Sockets runs, and at no other time."""

from pathlib import Path

import pytest

from tests.kernel.handing import Handing, frames, sockets, taken
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until

N = 1000


@pytest.fixture
def handing(lab: Lab, tmp_path: Path) -> Handing:
    return Handing(lab, tmp_path / "wanted")


def test_nobody_receives_the_exact_frames_from_an_agent(handing: Handing) -> None:
    handing.want(sockets("0"))
    with handing.agent() as agent:
        handing.serves()
        with handing.receiver("--count", str(N)) as client:
            taken(client)
            sent = frames(N)
            handing.far.send(sent)
            output, _ = client.communicate(timeout=60)
        *lines, last = output.splitlines()
        assert lines == [f"{len(frame)} {frame.hex()}" for frame in sent]
        assert last == f"{N} frames; lost: 0 for a full ring, 0 for want of memory, 0 otherwise"
        assert client.returncode == 0
        agent.terminate()
        assert agent.wait(60) == 0
    assert not handing.socket.exists()


def test_there_is_a_broker_while_there_is_a_rule(handing: Handing) -> None:
    handing.want("{type: Drop}")
    with handing.agent():
        until(lambda: bool(handing.dut.pins()), "the first pass")
        assert not handing.socket.parent.exists()
        handing.want(sockets("0"))
        handing.serves()
        handing.want("{type: Drop}")
        until(lambda: not handing.socket.exists(), "the end of the broker")
        handing.want(sockets("0"))
        handing.serves()
        # Pods have the directory mounted, so that it must stay the same one.
        assert handing.socket.parent.is_dir()


def test_who_may_not_have_a_socket_gets_none(handing: Handing) -> None:
    handing.want(sockets("0").replace("65534", "0"))
    with handing.agent():
        handing.serves()
        with handing.receiver() as client:
            output, _ = client.communicate(timeout=60)
        assert client.returncode == 1, output
        assert "NotGranted" in output
