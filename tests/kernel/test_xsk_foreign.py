"""Attacks on the socket broker with sockets and slots that are somebody else's, and with the socket
that it has handed out: each fails with its reason."""

import errno
import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel.brokered import PYTHON_PATH, Brokered, brokered, slot, unbound
from tests.kernel.lab import Lab, Port
from tests.kernel.powerless import NOBODY
from tests.kernel.raw_client import RawClient
from tests.kernel.test_xsk_identity import answers, command
from tests.kernel.xsk import XdpSocket
from xdpredirect.datapath.abi import U32
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk import sockets, uapi
from xdpredirect.xsk.client import XskSocket
from xdpredirect.xsk.sockets import Place

HELLO, TAKE, RETURN = b"hello 1 a", b"take p1 0 64 2048", b"return p1 0"


def a_file(_: Brokered, stack: ExitStack) -> int:
    return stack.enter_context(Path(os.devnull).open()).fileno()


def a_pipe(_: Brokered, stack: ExitStack) -> int:
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends[0]


def a_tcp_socket(_: Brokered, stack: ExitStack) -> int:
    return stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)).fileno()


def a_packet_socket(b: Brokered, stack: ExitStack) -> int:
    with b.dut.enter():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    return stack.enter_context(made).fileno()


def an_unbound_socket(b: Brokered, stack: ExitStack) -> int:
    with b.dut.enter():
        return stack.enter_context(unbound()).fileno()


def bound(b: Brokered, stack: ExitStack, port: Port, queue: int) -> int:
    made = XdpSocket(port)
    stack.callback(made.close)
    b.wait(lambda: is_bound(made, queue))
    return made.fd


def is_bound(made: XdpSocket, queue: int) -> bool:
    """Not as long as the last owner, which has closed it, is still being cleaned up after."""
    try:
        made.bind(queue)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def bound_elsewhere(b: Brokered, stack: ExitStack) -> int:
    return bound(b, stack, b.source, 0)


def bound_to_another_queue(b: Brokered, stack: ExitStack) -> int:
    return bound(b, stack, b.scene.ingress, 1)


def bound_to_the_queue_by_another(b: Brokered, stack: ExitStack) -> int:
    return bound(b, stack, b.scene.ingress, 0)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (a_file, "WrongSocket"),
        (a_pipe, "WrongSocket"),
        (a_tcp_socket, "WrongSocket"),
        (a_packet_socket, "WrongSocket"),
        (an_unbound_socket, "NotBound"),
        (bound_elsewhere, "WrongNamespace"),
        (bound_to_another_queue, "UnknownSocket"),
        (bound_to_the_queue_by_another, "UnknownSocket"),
    ],
)
def test_what_is_returned_must_be_what_was_handed_out(
    lab: Lab, make: Callable[[Brokered, ExitStack], int], reason: str
) -> None:
    with brokered(lab, queues=2) as b, ExitStack() as stack:
        b.grant(users={0})
        # Something is known of the queue: a broker has handed its socket out before.
        b.connect().close()
        b.wait(lambda: not b.server.report())
        descriptor = make(b, stack)
        client = stack.enter_context(RawClient(b.directory))
        assert client.ask(HELLO) == "hello 1"
        assert client.reason(RETURN, descriptor) == reason
        # The conversation goes on, and the slot is nobody's.
        assert client.reason(RETURN, descriptor) == reason
        assert b.is_empty()


def abandoned(b: Brokered, stack: ExitStack) -> XskSocket:
    """Root's socket of queue 0, while its broker is replaced by the next."""
    held = stack.enter_context(b.connect())
    b.restart()
    return held


def test_only_the_user_who_got_a_socket_may_return_it(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={0, NOBODY})
        held = abandoned(b, stack)
        words = command(b, NOBODY, "hello 1 thief", f"{held.fileno()}:return p1 0")
        environment = {**os.environ, **PYTHON_PATH}
        done = subprocess.run(
            words, env=environment, pass_fds=[held.fileno()], capture_output=True, check=True
        )
        assert done.stdout.splitlines()[1].startswith(b"refused UnknownSocket ")
        assert not held.wait(0)
        b.wait(b.server.report)
        b.source.send(b.frames(3))
        assert held.wait(60.0)


def test_a_slot_that_is_taken(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={0})
        other = an_unbound_socket(b, stack)
        b.map.put(slot(0), U32.pack(other))
        client = stack.enter_context(RawClient(b.directory))
        assert client.ask(HELLO) == "hello 1"
        assert client.ask(TAKE) == (
            "refused SlotTaken rule rule-0 of r has another socket for the queue"
        )
        assert not b.is_empty()
        # Nor has anything stayed of what was made for the client.
        with b.dut.enter():
            b.wait(lambda: sockets.is_free(Place(b.scene.ingress.ifindex, 0)))
        b.map.delete(slot(0))
        assert client.ask(TAKE).startswith("bound ")


def test_of_two_slots_one_taken_gives_none(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        first, second = b.grant(users={0}), b.grant(users={0})
        b.map.put(slot(0, second), U32.pack(an_unbound_socket(b, stack)))
        client = stack.enter_context(RawClient(b.directory))
        assert client.ask(HELLO) == "hello 1"
        assert client.reason(TAKE) == "SlotTaken"
        assert b.is_empty(0, first)
        assert not b.is_empty(0, second)
        b.map.delete(slot(0, second))
        assert client.ask(TAKE).startswith("bound ")
        assert not b.is_empty(0, first)
        assert not b.is_empty(0, second)


def test_a_queue_that_is_taken(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0, NOBODY})
        with b.connect() as held:
            words = f"queue 0 of p1 is held by process {os.getpid()}"
            assert (
                answers(b, NOBODY, "hello 1 a", TAKE.decode())[1] == f"refused QueueTaken {words}"
            )
            b.source.send(b.frames(3))
            assert held.wait(60.0)


def test_a_queue_that_a_stranger_has(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={0})
        bound_to_the_queue_by_another(b, stack)
        with pytest.raises(SocketRefused, match="another socket has queue 0 of p1") as refused:
            b.connect()
        assert refused.value.reason == "QueueBusy"
        assert b.is_empty()


def test_what_is_handed_out_leads_nowhere_else(lab: Lab) -> None:
    with brokered(lab, queues=2) as b, RawClient(b.directory) as client:
        b.grant(users={0})
        assert client.ask(HELLO) == "hello 1"
        assert client.ask(TAKE).endswith(" copy receive")
        xsk, memfd = client.descriptors
        with b.dut.enter(), sockets._borrowed(xsk) as borrowed:
            for queue in (0, 1):
                with pytest.raises(OSError, match="busy"):
                    sockets._bind(borrowed, Place(b.scene.ingress.ifindex, queue), uapi.COPY)
            registration = uapi.UMEM.pack(0, 1 << 20, 2048, 0, 0, 0)
            for option, value in ((uapi.TX_RING, U32.pack(64)), (uapi.UMEM_REG, registration)):
                with pytest.raises(OSError, match="busy"):
                    borrowed.setsockopt(uapi.SOL_XDP, option, value)
        assert not sockets.can_transmit(xsk)
        for size in (0, 64 * 2048 - 1, 64 * 2048 + 1):
            with pytest.raises(PermissionError):
                os.ftruncate(memfd, size)


def test_who_may_transmit_no_more_cannot_return_what_can(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={0}, transmit=True)
        held = stack.enter_context(b.connect())
        b.stop()
        b.grants = [replace(grant, transmit=False) for grant in b.grants]
        b.start()
        with pytest.raises(SocketRefused, match="can transmit"):
            held.wait(60.0)
        # It can still send, which nobody can take from it, and receives nothing any more.
        assert b.is_empty()
        assert not b.server._leases.held()


def test_a_socket_like_ours_is_still_not_ours(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={0})
        held = abandoned(b, stack)
        held.close()
        other = bound_to_the_queue_by_another(b, stack)
        client = stack.enter_context(RawClient(b.directory))
        assert client.ask(HELLO) == "hello 1"
        assert client.reason(RETURN, other) == "UnknownSocket"
        assert b.is_empty()
