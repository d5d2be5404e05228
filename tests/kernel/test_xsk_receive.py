"""Clients without privileges receive exactly what was sent, through sockets handed to them."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.brokered import Brokered, brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY
from tests.kernel.scene import EXPERIMENT
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.client import XskSocket, take
from xdpredirect.xsk.messages import Take
from xdpredirect.xsk.rings import FillRing, TransmitRing

N = 1000


def test_nobody_receives_the_exact_frames(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with b.receiver("--count", str(N)) as client:
            b.wait(b.server.report)
            frames = b.frames(N)
            b.source.send(frames)
            output, _ = client.communicate(timeout=60)
        first, *lines, last = output.splitlines()
        assert first == "receiving from queue 0 of p1, copied to 2048 frames"
        assert lines == [f"64 {frame.hex()}" for frame in frames]
        assert last == f"{N} frames; lost: 0 for a full ring, 0 for want of memory, 0 otherwise"
        assert client.returncode == 0
        b.wait(lambda: not b.server.report())
        assert b.is_empty()


def taken(client: XskSocket, count: int) -> list[bytes]:
    """The next frames."""
    found: list[bytes] = []
    while len(found) < count:
        assert client.wait(60.0)
        found += client.receive()
    return found


def test_the_longest_frame_is_that_of_the_specification(lab: Lab) -> None:
    with brokered(lab, mtu=3000) as b:
        b.grant(users={0})
        with take(b.directory, Take("p1", 0, 64)) as client:
            longest, too_long = b.frames(1, 2048 - 256), b.frames(1, 2048 - 255)
            b.source.send([*longest, *too_long, *longest])
            assert taken(client, 2) == longest * 2
            lost = client.statistics()
            assert (lost.rx_dropped, lost.rx_ring_full, lost.rx_fill_ring_empty_descs) == (1, 0, 0)


def test_a_client_may_transmit_where_the_object_says_so(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0}, transmit=True)
        with listening(b) as far, b.connect() as client:
            assert client.bound.transmit
            # More than the ring has, so that what was sent is used again; one by one, for the
            # other end has no room for all.
            for frame in b.frames(N):
                transmit(client, frame)
                assert far.recv(2048) == frame
            frames = b.frames(N // 50)
            b.source.send(frames)
            assert taken(client, len(frames)) == frames
            with pytest.raises(ValueError, match="2048 octets at most, not 2049"):
                client.send(bytes(2049))


@contextmanager
def listening(b: Brokered) -> Iterator[socket.socket]:
    """Hears what the client's device sends."""
    with b.source.host.enter():
        far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with far:
        far.settimeout(60.0)
        far.bind((b.source.name, int.from_bytes(EXPERIMENT, "big")))
        yield far


def transmit(client: XskSocket, frame: bytes) -> None:
    while not client.send(frame):
        assert not client.wait(0.001)


def test_the_kernel_is_called_to_send_where_it_asks_for_it(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0}, transmit=True)
        with listening(b) as far, b.connect() as client:
            first, second = b.frames(2)
            # As a driver that looks by itself. This one does not, so that nothing is sent.
            flag_of(client._tx, set_to=0)
            assert client.send(first)
            assert not select.select([far], [], [], 0)[0]
            flag_of(client._tx, set_to=1)
            assert client.send(second)
            assert [far.recv(2048), far.recv(2048)] == [first, second]


def test_the_kernel_is_called_to_receive_where_it_asks_for_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its fill ring was empty, in zero-copy: no driver here has that, so the flag is ours."""
    with brokered(lab) as b:
        b.grant(users={0})
        with b.connect() as client:
            calls: list[None] = []
            poll_device = client._poll_device
            monkeypatch.setattr(client, "_poll_device", lambda: calls.append(poll_device()))
            b.receives(client)
            assert not calls
            flag_of(client._fill, set_to=1)
            b.receives(client)
            assert calls


def flag_of(ring: FillRing | TransmitRing | None, *, set_to: int) -> None:
    """XDP_RING_NEED_WAKEUP, in the memory that is shared with the kernel."""
    assert ring is not None
    ring._words[ring._flags] = set_to


def test_a_client_may_not_transmit_otherwise(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with b.connect() as client, pytest.raises(SocketRefused, match="ReceiveOnly"):
            client.send(bytes(64))
