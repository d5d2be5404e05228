"""Sockets: frames of a queue reach the AF_XDP socket in its slot, and no other frame does."""

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.loaded import LOOPBACK, a_host, loaded
from tests.kernel.rx_queues import QUEUES, SEEN, N, send_to_queue
from tests.kernel.switch import (
    CATCH_ALL,
    INGRESS,
    Switch,
    both_modes,
    redirect,
    rule,
    switch,
    to_port,
    udp,
)
from tests.kernel.xsk import XdpSocket
from xdpredirect.agent.pins import Pins
from xdpredirect.agent.sockets import SocketSlots
from xdpredirect.api.load import load_text
from xdpredirect.datapath.abi import U32
from xdpredirect.xsk.grants import CopyMode, Grant

NOBODY = 65534
USERS = f"clients: [{{type: Users, users: ['{NOBODY}']}}]"
VERDICTS = {"Pass": 2, "Drop": 1, "TX": 3, "Abort": 0}
REDIRECT = 4


def sockets(queues: str, more: str = "", on_miss: str = "Drop") -> str:
    """The action."""
    given = f"{{queues: '{queues}', {USERS}{more}}}"
    return f"{{type: Sockets, sockets: {given}, onMiss: {on_miss}}}"


def slots(s: Switch) -> SocketSlots:
    """The slots of the switch's agent, as the broker has them."""
    return SocketSlots(Pins(s.settings.bpffs))


def granted(s: Switch, text: str) -> tuple[Grant, ...]:
    """Applies an object; who may take which sockets then."""
    s.apply(text)
    return s.handed.grants


@contextmanager
def bound(s: Switch, queue: int) -> Iterator[XdpSocket]:
    """A socket of a queue of `in`, in no slot yet."""
    with closing(XdpSocket(s.near[INGRESS])) as made:
        made.bind(queue)
        yield made


def arrived(made: XdpSocket, count: int) -> list[bytes]:
    """Waits for so many frames at least; all that came."""
    found: list[bytes] = []

    def enough() -> bool:
        found.extend(made.frames())
        return len(found) >= count

    until(enough, f"{count} frames at the socket")
    return found


@both_modes
def test_frames_of_each_queue_reach_its_socket(lab: Lab, mode: str) -> None:
    with switch(lab, mode, ("in",), queues=QUEUES) as s:
        (grant,) = granted(s, redirect(rule("r", CATCH_ALL, sockets("0-1"))))
        assert grant == Grant(
            redirect="o",
            rule="r",
            interface=INGRESS,
            ifindex=s.near[INGRESS].ifindex,
            queues=frozenset({0, 1}),
            users=frozenset({NOBODY}),
            transmit=False,
            copy_mode=CopyMode.AUTO,
        )
        with bound(s, 0) as zero, bound(s, 1) as one:
            slots(s).insert(grant, 0, zero.fd)
            slots(s).insert(grant, 1, one.fd)
            sent: dict[int, list[bytes]] = {0: [], 1: []}
            for queue in range(QUEUES):
                sent[SEEN[mode][queue]] += send_to_queue(s, queue)
            assert arrived(zero, len(sent[0])) == sent[0]
            assert arrived(one, len(sent[1])) == sent[1]
            counted = s.counted("r")
            assert (counted.packets, counted.misses) == (N * QUEUES, 0)
            assert not zero.frames() + one.frames()


@both_modes
@pytest.mark.parametrize("on_miss", ["Pass", "Drop", "TX", "Abort", "Continue"])
def test_an_empty_slot_is_a_miss(lab: Lab, mode: str, on_miss: str) -> None:
    rest = rule("rest", CATCH_ALL, "{type: Device, device: {name: p1}}")
    out = {"Pass": "stack", "TX": "in", "Continue": "p1"}.get(on_miss)
    with switch(lab, mode, ("in", "p1")) as s:
        taken = redirect(rule("r", to_port(7), sockets("0", on_miss=on_miss)), rest)
        (grant,) = granted(s, taken)
        with bound(s, 0) as made:
            slots(s).insert(grant, 0, made.fd)
            s.deliver([udp(7)] * N)
            assert arrived(made, N) == [udp(7)] * N
            slots(s).remove(grant, 0)
            s.deliver([udp(7)] * N, **({out: N} if out else {}))
            assert not made.frames()
        counted = s.counted("r")
        assert (counted.packets, counted.misses) == (2 * N, N)


@both_modes
def test_a_closed_socket_leaves_its_slot_by_itself(lab: Lab, mode: str) -> None:
    with switch(lab, mode, ("in",)) as s:
        (grant,) = granted(s, redirect(rule("r", CATCH_ALL, sockets("0", on_miss="Pass"))))
        with bound(s, 0) as made:
            slots(s).insert(grant, 0, made.fd)
        s.deliver([udp(7)] * N, stack=N)
        assert s.counted("r").misses == N
        with bound_again(s) as other:
            slots(s).insert(grant, 0, other.fd)
            s.deliver([udp(7)] * N)
            assert arrived(other, N) == [udp(7)] * N


@contextmanager
def bound_again(s: Switch) -> Iterator[XdpSocket]:
    """A socket of queue 0 once the kernel has let go of the last one (EBUSY until then)."""
    with closing(XdpSocket(s.near[INGRESS])) as made:

        def free() -> bool:
            try:
                made.bind()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return False
            return True

        until(free, "the queue")
        yield made


def test_a_slot_takes_one_socket_and_nothing_else(lab: Lab) -> None:
    with switch(lab, "Native", ("in",)) as s:
        (grant,) = granted(s, redirect(rule("r", CATCH_ALL, sockets("0"))))
        other = Grant(
            *("o", "gone", INGRESS, grant.ifindex, frozenset({0}), frozenset({0})),
            transmit=False,
            copy_mode=CopyMode.AUTO,
        )
        with (
            closing(XdpSocket(s.near[INGRESS])) as one,
            closing(XdpSocket(s.near[INGRESS])) as two,
            Path("/dev/null").open("rb") as file,
        ):
            slots(s).remove(grant, 0)  # it is empty, which is fine
            slots(s).insert(grant, 0, one.fd)
            for fd, queue, number in (
                (two.fd, 0, errno.EEXIST),
                (two.fd, 1024, errno.E2BIG),
                (file.fileno(), 1, errno.ENOTSOCK),
                (1 << 20, 1, errno.EBADF),
            ):
                with pytest.raises(OSError, match="write sockets") as refused:
                    slots(s).insert(grant, queue, fd)
                assert refused.value.errno == number
            with pytest.raises(FileNotFoundError):
                slots(s).insert(other, 0, two.fd)
            slots(s).remove(other, 0)
            slots(s).remove(grant, 0)
            slots(s).insert(grant, 0, two.fd)


@pytest.mark.parametrize("on_miss", VERDICTS)
def test_verdicts_by_queue(lab: Lab, on_miss: str) -> None:
    """Without traffic: a queue that the rule does not hand out misses even with a socket there."""
    text = redirect(rule("r", to_port(7), sockets("0,2-3", on_miss=on_miss)))
    text = text.replace("[in]", "[many]").replace("MODE", "Native")
    near, _ = lab.veth(("dut", "many"), ("far", "eth0"), queues=4)
    (wanted,) = load_text(text, "test").redirects
    miss = VERDICTS[on_miss]
    with near.host.enter(), closing(XdpSocket(near)) as made:
        link = replace(LOOPBACK, ifindex=near.ifindex, name="many", rx_channels=4)
        with loaded([wanted], host=a_host([link]), interface="many") as program:
            (name,) = [name for name in program.maps if name.startswith("sockets")]
            for queue in (1, 2):
                program.maps[name].put(U32.pack(queue), U32.pack(made.fd))
            found = [
                program.run(udp(7), rx_queue=queue, ifindex=near.ifindex).verdict
                for queue in range(4)
            ]
            assert found == [miss, miss, REDIRECT, miss]
            counted = program.counters(("o", "r"))
            assert (counted.packets, counted.misses) == (4, 3)
