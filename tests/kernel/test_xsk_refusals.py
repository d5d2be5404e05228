"""What the kernel has to say against a socket reaches the client in the words of docs/protocol.md,
and nothing of the attempt stays."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.kernel.brokered import brokered
from tests.kernel.lab import Lab
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import CopyMode, Grant


def queue_5(grant: Grant) -> Grant:
    return replace(grant, queues=frozenset({5}))


def zero_copy(grant: Grant) -> Grant:
    return replace(grant, copy_mode=CopyMode.ZERO_COPY)


def gone(grant: Grant) -> Grant:
    return replace(grant, ifindex=999_999)


KERNEL: list[tuple[Callable[[Grant], Grant], str, str]] = [
    (queue_5, "NoSuchQueue", "EINVAL"),
    (zero_copy, "NoZeroCopy", "EOPNOTSUPP"),
    (gone, "NoSuchDevice", "ENODEV"),
]


def test_the_kernel_says_no(lab: Lab) -> None:
    with brokered(lab) as b:
        usual = b.grant(users={0})
        for change, reason, name in KERNEL:
            grant = change(usual)
            b.server.update([grant])
            (queue,) = grant.queues
            with pytest.raises(SocketRefused) as refused:
                b.connect(queue)
            assert refused.value.reason == reason
            assert refused.value.sentence.endswith(f" ({name})")
            assert b.is_empty(queue)
        b.server.update([usual])
        b.connect().close()


def test_a_kernel_that_maps_no_rings_of_a_bound_socket(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        # As those before the change did: EBUSY for the state of the socket.
        monkeypatch.setattr(sockets, "_has_ring", lambda *_: False)
        with pytest.raises(SocketRefused, match="KernelTooOld"):
            b.connect()
        monkeypatch.undo()
        b.connect().close()


def test_sizes_that_are_not_made(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        for frames in (0, 32, 100, 8192):
            with pytest.raises(SocketRefused, match="Size"):
                b.connect(frames=frames)
        for frames in (64, 4096):
            with b.connect(frames=frames) as client:
                assert client.bound.frames == frames
                assert client.bound.octets == 2048
