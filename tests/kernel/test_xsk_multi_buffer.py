"""Frames longer than a place of the UMEM: whole for who asks for them, explained otherwise."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.kernel.brokered import brokered
from tests.kernel.handing import sockets
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.switch import CATCH_ALL, INGRESS, Switch, both_modes, redirect, rule, switch, udp
from tests.spec.frames import padded
from xdpredirect.agent.broker import Broker
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.report import ObjectReport
from xdpredirect.xsk import sockets as kernel_sockets
from xdpredirect.xsk import uapi
from xdpredirect.xsk.client import XskSocket, take
from xdpredirect.xsk.messages import Take

MTU, FRAMES = 9000, 256
OF_ONE = 2048 - 256
"""Octets of a frame, or of a piece of one, in a place of the UMEM."""
LENGTHS = (64, 3000, 9000, OF_ONE, OF_ONE + 1, 9000, 64, 64, 3000, 2 * OF_ONE)
RULE = redirect(rule("r", CATCH_ALL, sockets("0").replace("65534", "0")))
FEW, PIECES = 64, 6
"""Of a small UMEM, and of a frame of 9,000 octets."""


@contextmanager
def handing(lab: Lab, mode: str) -> Iterator[Switch]:
    """An agent with its program on an interface, and a broker."""
    with switch(lab, mode, (INGRESS,), mtu=MTU) as s:
        s.settings = replace(s.settings, sockets_dir=s.dut.state_dir / "sockets")
        with Broker(s.settings) as broker:
            s.agent = MachineAgent(s.settings, broker)
            s.apply(RULE)
            yield s


def taken(s: Switch, frames: int = FRAMES, *, multi_buffer: bool = True) -> XskSocket:
    directory = s.settings.sockets_dir
    assert directory is not None
    return take(directory, Take(INGRESS, 0, frames, 2048, multi_buffer))


def mixed(rounds: int = 1) -> list[bytes]:
    """Frames of each length, no two of which are the same."""
    return [
        padded(udp(1), length - 8) + number.to_bytes(8, "big")
        for number, length in enumerate(LENGTHS * rounds)
    ]


def received(xsk: XskSocket, count: int, most: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        assert xsk.wait(60.0)
        found += xsk.receive(most)
    return found


def thing(s: Switch) -> ObjectReport:
    (found,) = s.converge().report.objects
    return found


def lost(s: Switch) -> dict[str, int]:
    return {loss.reason: loss.packets for loss in thing(s).losses}


@both_modes
def test_frames_of_every_length_arrive_whole(lab: Lab, mode: str) -> None:
    with handing(lab, mode) as s, taken(s) as xsk:
        assert xsk.bound.multi_buffer
        for most in (64, 1, 7):
            # More than the UMEM has in all rounds together; batches end within a frame.
            for frames in [mixed(2)] * 4:
                s.far[INGRESS].send(frames)
                assert received(xsk, len(frames), most) == frames
        assert not any(xsk.statistics())
        assert not lost(s)


@both_modes
def test_who_does_not_ask_gets_no_pieces_and_the_loss_is_explained(lab: Lab, mode: str) -> None:
    with handing(lab, mode) as s, taken(s, multi_buffer=False) as xsk:
        assert not xsk.bound.multi_buffer
        frames = mixed()
        short = [frame for frame in frames if len(frame) <= OF_ONE]
        s.far[INGRESS].send(frames)
        assert received(xsk, len(short), 64) == short
        missing = len(frames) - len(short)
        until(lambda: xsk.statistics().rx_dropped == missing, "every frame")
        assert lost(s) == {"FrameTooBigForSocket": missing}
        (report,) = thing(s).sockets
        assert (report.ring_full, report.fill_ring_empty, report.dropped) == (0, 0, missing)


@both_modes
def test_for_want_of_a_last_piece_no_part_of_a_frame_arrives(lab: Lab, mode: str) -> None:
    with handing(lab, mode) as s, taken(s, FEW) as xsk:
        whole, over = FEW // PIECES, 3
        frames = [padded(udp(1), MTU - 1) + bytes([n]) for n in range(whole + over)]
        s.far[INGRESS].send(frames)
        until(lambda: xsk.statistics().rx_dropped == over, "every frame")
        # The ring was never empty; it had too little.
        assert not xsk.statistics().rx_fill_ring_empty_descs
        assert lost(s) == {"SocketFillRingEmpty": over}
        (report,) = thing(s).sockets
        assert (report.ring_full, report.fill_ring_empty, report.dropped) == (0, over, 0)
        assert received(xsk, whole, 64) == frames[:whole]
        s.far[INGRESS].send(frames[:whole])
        assert received(xsk, whole, 64) == frames[:whole]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EOPNOTSUPP])
def test_where_the_kernel_cannot_the_answer_says_so(
    lab: Lab, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux before 6.6, and as a driver whose zero-copy knows no frames in pieces."""
    bind = kernel_sockets._bind

    def older(xsk: socket.socket, place: kernel_sockets.Place, flags: int) -> None:
        if flags & uapi.USE_SG:
            raise OSError(error, os.strerror(error))
        bind(xsk, place, flags)

    monkeypatch.setattr(kernel_sockets, "_bind", older)
    with handing(lab, "Native") as s, taken(s) as xsk:
        assert not xsk.bound.multi_buffer
        frames = [padded(udp(1), 64), padded(udp(1), OF_ONE)]
        s.far[INGRESS].send(frames)
        assert received(xsk, len(frames), 64) == frames


def test_the_next_broker_knows_how_it_was_bound(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with b.connect() as client:
            assert [held.multi_buffer for held in b.server.report()] == [True]
            b.restart()
            assert not b.server.report()
            b.wait(lambda: client.wait(0.1) or b.server.report())
            assert [held.multi_buffer for held in b.server.report()] == [True]
