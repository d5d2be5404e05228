"""Attacks on the socket broker with sockets that clients make themselves: each fails with its
reason, and what cannot be told from an honest one gets nothing and harms nobody."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tests.kernel.brokered import Brokered, brokered, slot, unbound
from tests.kernel.lab import Host, Lab, Port
from tests.kernel.lifecycle import PATIENCE
from tests.kernel.powerless import NOBODY
from tests.kernel.raw_client import RawClient
from tests.kernel.test_xsk_foreign import a_file, a_packet_socket, a_tcp_socket
from tests.kernel.xsk import XdpSocket
from xdpredirect.datapath.abi import U32
from xdpredirect.xsk.grants import CopyMode, Grant

HELLO, BRING, TAKE = b"hello 1 a", b"bring p1 0", b"take p1 0 64 2048"


class Away:
    """`b`, whose p1 was moved into the namespace of `pod`, where it is called net1."""

    def __init__(self, b: Brokered, lab: Lab, stack: ExitStack) -> None:
        self.b, self._stack = b, stack
        self.pod, self.third = lab.host("pod"), lab.host("third")
        b.dut.ip("link", "set", "p1", "netns", self.pod.netns, "name", "net1")
        self.pod.ip("link", "set", "net1", "up")
        self.port = replace(b.scene.ingress, host=self.pod, name="net1")
        _, self.other = lab.veth(("dut", "p2"), ("pod", "net2"))
        _, self.elsewhere = lab.veth(("dut", "p3"), ("third", "net3"))
        self.here = lab.veth(("dut", "p4"), ("pod", "net4"))[0]

    def grant(self, **fields: object) -> Grant:
        """As an agent would that has seen it leave; to root."""
        return self.b.grant(users={0}, **{"away": True, **fields})  # type: ignore[arg-type]

    def client(self, host: Host | None = None) -> RawClient:
        """One that has said hello, from the pod unless another host is named."""
        with (host or self.pod).enter():
            client = self._stack.enter_context(RawClient(self.b.directory))
        assert client.ask(HELLO) == "hello 1"
        return client

    def bound(self, port: Port | None = None, queue: int = 0) -> XdpSocket:
        """A socket of net1 unless another port is named."""
        made = XdpSocket(port or self.port)
        self._stack.callback(made.close)
        made.bind(queue)
        return made

    def unbound(self) -> int:
        with self.pod.enter():
            return self._stack.enter_context(unbound()).fileno()

    def receives(self, mine: XdpSocket) -> None:
        """Exactly what is sent."""
        sent = self.b.frames(9)
        found: list[bytes] = []
        self.b.source.send(sent)
        deadline = time.monotonic() + PATIENCE
        while len(found) < len(sent):
            found += mine.frames()
            assert time.monotonic() < deadline, found
        assert found == sent


@contextmanager
def away(lab: Lab, queues: int = 1) -> Iterator[Away]:
    with brokered(lab, queues=queues) as b, ExitStack() as stack:
        yield Away(b, lab, stack)


def test_an_honest_one_gets_every_frame(lab: Lab) -> None:
    with away(lab) as a:
        a.grant()
        mine, client = a.bound(), a.client()
        assert client.ask(BRING, mine.fd) == "brought p1 0"
        a.receives(mine)
        (held,) = a.b.server.report()
        assert (held.queue, held.away, held.releasing) == (0, True, False)
        assert client.ask(b"release p1 0") == "released p1 0"
        assert not a.b.server.report()
        a.b.source.send(a.b.frames(9))
        assert a.b.is_empty()
        assert not mine.frames()


def test_no_socket_of_afxdp_that_is_bound(lab: Lab) -> None:
    with away(lab) as a, ExitStack() as stack:
        a.grant()
        client = a.client()
        for make in (a_file, a_tcp_socket, a_packet_socket):
            assert client.reason(BRING, make(a.b, stack)) == "WrongSocket"
        assert client.reason(BRING, a.unbound()) == "NotBound"
        assert a.b.is_empty()
        assert not a.b.server.report()


def test_sockets_of_another_namespace_than_the_clients(lab: Lab) -> None:
    with away(lab) as a:
        a.grant()
        of_host, of_third = a.bound(a.here), a.bound(a.elsewhere)
        for number in (of_host.fd, of_third.fd):
            assert a.client().reason(BRING, number) == "WrongNamespace"
        assert a.b.is_empty()


def test_a_client_in_the_agents_namespace(lab: Lab) -> None:
    with away(lab) as a:
        a.grant()
        client = a.client(a.b.dut)
        for port in (a.here, a.port):
            assert client.reason(BRING, a.bound(port).fd) == "WrongNamespace"
        assert a.b.is_empty()


def test_sockets_of_another_device_queue_or_namespace_get_nothing(lab: Lab) -> None:
    """The kernel tells nobody what a socket is bound to. It compares for each frame."""
    with away(lab, queues=2) as a:
        a.grant()
        liars = (
            (a.bound(a.other), a.pod),
            (a.bound(queue=1), a.pod),
            (a.bound(a.elsewhere), a.third),
        )
        for liar, host in liars:
            client = a.client(host)
            assert client.ask(BRING, liar.fd) == "brought p1 0"
            a.b.source.send(a.b.frames(9))
            assert client.ask(b"release p1 0") == "released p1 0"
            assert not liar.frames()
        mine, client = a.bound(), a.client()
        assert client.ask(BRING, mine.fd) == "brought p1 0"
        a.receives(mine)


def test_slots_queues_and_users_as_for_sockets_of_ours(lab: Lab) -> None:
    with away(lab, queues=2) as a:
        a.b.grant(users={NOBODY}, queues={1}, away=True)
        a.grant()
        mine, client = a.bound(), a.client()
        assert client.reason(b"bring p1 1", mine.fd) == "NotGranted"
        assert client.reason(b"bring p9 0", mine.fd) == "NotGranted"
        a.b.map.put(slot(0, a.b.grants[1]), U32.pack(a.unbound()))
        assert client.reason(BRING, mine.fd) == "SlotTaken"
        a.b.map.delete(slot(0, a.b.grants[1]))
        assert client.ask(BRING, mine.fd) == "brought p1 0"
        assert client.reason(BRING, mine.fd) == "AlreadyHeld"
        assert a.client().reason(BRING, mine.fd) == "QueueTaken"


def test_neither_take_nor_bring_where_the_other_is_meant(lab: Lab) -> None:
    with away(lab) as a:
        a.grant()
        mine, client = a.bound(), a.client()
        assert client.reason(TAKE) == "InterfaceAway"
        a.b.grants[:] = [replace(grant, away=False) for grant in a.b.grants]
        a.b.server.update(a.b.grants)
        assert client.reason(BRING, mine.fd) == "InterfaceHere"
        assert a.b.is_empty()


def test_what_the_object_does_not_allow(lab: Lab) -> None:
    with away(lab) as a:
        a.grant(copy_mode=CopyMode.ZERO_COPY)
        assert a.client().reason(BRING, a.bound().fd) == "WrongCopyMode"
        assert a.b.is_empty()


def test_a_device_that_is_back_takes_sockets_of_the_pod_away(lab: Lab) -> None:
    with away(lab) as a:
        a.grant()
        mine, client = a.bound(), a.client()
        assert client.ask(BRING, mine.fd) == "brought p1 0"
        a.b.grants[:] = [replace(grant, away=False) for grant in a.b.grants]
        a.b.server.update(a.b.grants)
        assert client.hear() == "withdrawn p1 0"
        assert a.b.is_empty()
        assert client.reason(b"release p1 0") == "NotHeld"


def test_one_that_was_brought_is_returned_by_its_client_alone(lab: Lab) -> None:
    with away(lab) as a:
        a.grant()
        mine, client = a.bound(), a.client()
        assert client.ask(BRING, mine.fd) == "brought p1 0"
        a.b.restart()
        assert a.client(a.b.dut).reason(b"return p1 0", mine.fd) == "WrongNamespace"
        assert a.client().reason(b"return p1 0", a.bound(a.other).fd) == "UnknownSocket"
        assert a.client().ask(b"return p1 0", mine.fd) == "kept p1 0"
