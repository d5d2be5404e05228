"""Sockets outlive their agent, and leave nothing behind: agents killed under traffic, clients
killed, a thousand that come and go."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from subprocess import Popen

import pytest

from tests.kernel.handing import Handing, frames, held, sockets, taken
from tests.kernel.lab import Lab, bpf_ids
from tests.kernel.lab.sender import Stream
from tests.kernel.lifecycle import until
from tests.kernel.rx_queues import QUEUES
from tests.kernel.switch import INGRESS, udp
from xdpredirect.xsk.client import XskSocket, connect

KILLS, CYCLES, ALONE = 3, 1000, 500
FLOWS = 16
AS_ROOT = sockets("0-1").replace("65534", "0")


@pytest.fixture
def handing(lab: Lab, tmp_path: Path) -> Handing:
    return Handing(lab, tmp_path / "wanted", queues=QUEUES)


class Client(threading.Thread):
    """Takes one queue and keeps all that arrives, until `stop`."""

    def __init__(self, handing: Handing, queue: int) -> None:
        super().__init__(daemon=True)
        self.xsk: XskSocket = connect(handing.socket.parent, INGRESS, queue)
        self.got: list[bytes] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set() or self.xsk.wait(0):
            if self.xsk.wait(0.05):
                self.got += self.xsk.receive()

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        self.xsk.close()


def passed(stream: Stream, number: int) -> bool:
    return stream.sent > number


def numbered(number: int) -> bytes:
    """A frame of one of several flows, which the sender spreads over its queues."""
    return udp(7 + number % FLOWS)[:-4] + number.to_bytes(4, "big")


def number_of(frame: bytes) -> int:
    return int.from_bytes(frame[-4:], "big")


def test_agents_killed_while_two_sockets_receive_lose_no_frame(handing: Handing) -> None:
    """Map and program are pinned and the sockets are the clients', so that nothing of what a frame
    meets on its way belongs to the agent."""
    handing.want(AS_ROOT)
    with ExitStack() as stack:
        agent = stack.enter_context(handing.agent())
        handing.serves()
        clients = [Client(handing, queue) for queue in range(QUEUES)]
        for client in clients:
            client.start()
            stack.callback(client.stop)
        with handing.far.stream(numbered, rate=2000) as stream:
            for _ in range(KILLS):
                agent.kill()
                agent.wait(60)
                alone = stream.sent + ALONE
                until(partial(passed, stream, alone), "frames without an agent")
                agent = stack.enter_context(handing.agent())
                until(lambda: len(held(handing)) == QUEUES, "the clients that bring them back")
        until(lambda: sum(len(c.got) for c in clients) >= stream.sent, f"{stream.sent} frames")
        assert stream.sent > KILLS * ALONE
        assert all(client.got for client in clients), "one queue got everything"
        arrived = sorted(number_of(frame) for client in clients for frame in client.got)
        assert arrived == list(range(stream.sent))
        for client in clients:
            # In the order in which they came.
            numbers = [number_of(frame) for frame in client.got]
            assert numbers == sorted(numbers)
            lost = client.xsk.statistics()
            assert not lost.rx_dropped + lost.rx_ring_full + lost.rx_fill_ring_empty_descs


def test_a_client_that_is_killed_empties_its_slot(handing: Handing) -> None:
    handing.want(sockets("0-1", on_miss="Pass"))
    with handing.agent():
        handing.serves()
        with handing.receiver("--count", "1") as client:
            taken(client)
            client.kill()
            client.wait(60)
            until(lambda: not held(handing), "the end of the socket")
        with handing.near.counter() as stack:
            sent = frames(10)
            handing.far.send(sent)
            assert stack.wait(len(sent)) == sent
        with handing.receiver() as other:
            taken(other)


def test_what_was_taken_back_while_no_agent_ran_gets_nothing(handing: Handing) -> None:
    handing.want(sockets("0-1", on_miss="Pass"))
    with ExitStack() as stack:
        agent = stack.enter_context(handing.agent())
        handing.serves()
        client = stack.enter_context(handing.receiver())
        taken(client)
        client.send_signal(signal.SIGSTOP)
        agent.kill()
        agent.wait(60)
        handing.want(AS_ROOT.replace("Drop", "Pass"))
        stack.enter_context(handing.agent())
        until(lambda: not handing.memory(), "the next agent's first pass")
        with handing.near.counter() as counter:
            sent = [numbered(number) for number in range(FLOWS)]
            handing.far.send(sent)
            assert sorted(counter.wait(FLOWS)) == sorted(sent)
        client.send_signal(signal.SIGCONT)
        output, _ = client.communicate(timeout=60)
        assert "NotGranted" in output
        assert "0 frames" in output


def descriptors(agent: Popen[str]) -> list[str]:
    """What the agent has open, without numbers that differ from file to file."""
    found = []
    for entry in Path(f"/proc/{agent.pid}/fd").iterdir():
        # One that was closed meanwhile is not open.
        with suppress(FileNotFoundError):
            found.append(str(entry.readlink()).partition(":[")[0])
    return sorted(found)


def threads(agent: Popen[str]) -> int:
    return len(list(Path(f"/proc/{agent.pid}/task").iterdir()))


def children(agent: Popen[str]) -> str:
    found = []
    for task in Path(f"/proc/{agent.pid}/task").glob("*/children"):
        # A thread that has ended meanwhile has none.
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(task.read_text())
    return " ".join(found).strip()


def cycles() -> Iterator[int]:
    """The queue of each cycle: a queue is free 25 to 40 ms after its socket was closed."""
    return (number % QUEUES for number in range(CYCLES))


def test_a_thousand_that_come_and_go_leave_nothing(handing: Handing) -> None:
    handing.want(AS_ROOT)
    with handing.agent() as agent:
        handing.serves()
        for queue in range(QUEUES):
            connect(handing.socket.parent, INGRESS, queue, frames=64).close()
        until(lambda: not held(handing) and not children(agent), "a quiet agent")
        before, bpf, tasks = descriptors(agent), bpf_ids.objects(), threads(agent)
        for queue in cycles():
            connect(handing.socket.parent, INGRESS, queue, frames=64).close()
        until(lambda: descriptors(agent) == before, f"no descriptor more than {before}")
        until(lambda: not held(handing) and not children(agent), "a quiet agent")
        until(lambda: threads(agent) <= tasks and bpf_ids.objects() <= bpf, "nothing more")
        # The slots are empty, and take the next ones.
        clients = [Client(handing, queue) for queue in range(QUEUES)]
        for client in clients:
            client.start()
        handing.far.send(map(numbered, range(FLOWS)))
        until(lambda: sum(len(client.got) for client in clients) == FLOWS, "every frame")
        for client in clients:
            client.stop()
