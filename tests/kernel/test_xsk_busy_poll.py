"""Busy polling: set by the broker, because who takes a socket may not, and frames arrive."""

import errno
import os
import socket
import time
from pathlib import Path

import pytest

from tests.kernel.brokered import Brokered, brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY
from tests.kernel.raw_client import RawClient
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk import sockets
from xdpredirect.xsk.client import XskSocket, take
from xdpredirect.xsk.messages import Take
from xdpredirect.xsk.uapi import AF_XDP, SO_BUSY_POLL, SO_PREFER_BUSY_POLL

N, BUDGET = 200, 16
# A budget can be set, but not read. Without privileges nobody raises one.
SCRIPT = """
import socket, sys
from pathlib import Path
from xdpredirect.xsk.client import take
from xdpredirect.xsk.messages import Take

with take(Path({directory!r}), Take("p1", 0, busy_poll={budget})) as xsk:
    own = socket.socket(44, socket.SOCK_RAW, 0, xsk.fileno())
    for budget in ({budget}, {budget} + 1):
        try:
            own.setsockopt(socket.SOL_SOCKET, 70, budget)
            print(budget, "set")
        except PermissionError:
            print(budget, "refused")
    own.detach()
"""


def polling(b: Brokered, budget: int | None) -> XskSocket:
    return take(b.directory, Take("p1", 0, 64, busy_poll=budget))


def options(client: XskSocket) -> tuple[int, int]:
    with socket.socket(AF_XDP, socket.SOCK_RAW, 0, os.dup(client.fileno())) as own:
        prefer = own.getsockopt(socket.SOL_SOCKET, SO_PREFER_BUSY_POLL)
        return prefer, own.getsockopt(socket.SOL_SOCKET, SO_BUSY_POLL)


def test_it_is_set_for_who_wishes_for_it_and_frames_arrive(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with polling(b, BUDGET) as client:
            assert client.bound.busy_poll == BUDGET
            assert options(client) == (1, 20)
            b.receives(client)
            # Nor need one wait: the call for frames polls.
            frames = b.frames(N)
            for start in range(0, N, 50):
                b.source.send(frames[start : start + 50])
                assert asked(client, 50) == frames[start : start + 50]
        b.wait(lambda: not b.server.report())
        with polling(b, None) as client:
            assert client.bound.busy_poll is None
            assert options(client)[0] == 0
            b.receives(client)


def asked(client: XskSocket, count: int) -> list[bytes]:
    found: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        found += client.receive()
        assert time.monotonic() < deadline
    return found


def test_the_budget_is_what_was_asked_for(lab: Lab, tmp_path: Path) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        script = tmp_path / "budget.py"
        script.write_text(SCRIPT.format(directory=str(b.directory), budget=BUDGET))
        command = ["-m", "tests.kernel.powerless", str(script)]
        with b.python(*command) as process:
            output, _ = process.communicate(timeout=60)
        assert output.splitlines() == [f"{BUDGET} set", f"{BUDGET + 1} refused"]


def test_our_command_receives_with_it(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with b.receiver("--count", str(N), "--busy-poll", "64") as client:
            b.wait(b.server.report)
            frames = b.frames(N)
            b.source.send(frames)
            output, _ = client.communicate(timeout=60)
        first, *lines, last = output.splitlines()
        assert first == "receiving from queue 0 of p1, copied to 2048 frames, polled for 64 at once"
        assert lines == [f"64 {frame.hex()}" for frame in frames]
        assert last == f"{N} frames; lost: 0 for a full ring, 0 for want of memory, 0 otherwise"


@pytest.mark.parametrize("error", [errno.ENOPROTOOPT, errno.EPERM])
def test_where_the_kernel_cannot_the_answer_leaves_it_out(
    lab: Lab, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(sockets, "busy_poll", unable)
    with brokered(lab) as b:
        b.grant(users={0})
        with polling(b, BUDGET) as client:
            assert client.bound.busy_poll is None
            b.receives(client)


def test_other_budgets_are_refused_with_a_sentence(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with RawClient(b.directory) as client:
            assert client.ask(b"hello 1 raw") == "hello 1"
            for budget in (0, 65, 9999999999):
                words = f"busy polling takes 1 to 64 frames at once, not {budget}"
                answer = client.ask(b"take p1 0 64 2048 busy-poll %d" % budget)
                assert answer == f"refused BusyPoll {words}"
            answer = client.ask(b"take p1 0 64 2048 multi-buffer busy-poll 64")
            assert answer.endswith(" copy receive multi-buffer busy-poll 64")


def test_who_polls_is_told_that_the_device_is_gone(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with b.receiver("--busy-poll", "8") as client:
            b.wait(b.server.report)
            b.dut.ip("link", "delete", "p1")
            # As the agent does when it has heard of it.
            b.server.update(())
            output, _ = client.communicate(timeout=60)
        assert output.splitlines()[-1].endswith("(Withdrawn)")
        assert client.returncode == 1


def test_between_the_end_of_the_device_and_its_news_nothing_arrives(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with polling(b, BUDGET) as client:
            b.dut.ip("link", "delete", "p1")
            assert client.receive() == []
            b.server.update(())
            with pytest.raises(SocketRefused, match="Withdrawn"):
                client.wait(60)
