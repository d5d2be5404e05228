"""Clients without privileges receive exactly what was sent, through sockets handed to them."""

import socket

import pytest

from tests.kernel.brokered import brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY
from tests.kernel.scene import EXPERIMENT
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.client import XskSocket, take
from xdpredirect.xsk.messages import Take

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
        with b.source.host.enter():
            far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with far, b.connect() as client:
            assert client.bound.transmit
            far.settimeout(60.0)
            far.bind((b.source.name, int.from_bytes(EXPERIMENT, "big")))
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


def transmit(client: XskSocket, frame: bytes) -> None:
    while not client.send(frame):
        assert not client.wait(0.001)


def test_a_client_may_not_transmit_otherwise(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with b.connect() as client, pytest.raises(SocketRefused, match="ReceiveOnly"):
            client.send(bytes(64))
