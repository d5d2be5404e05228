"""Frames that arrive on a chosen receive queue of the switch's `in`.

Used by test_actions_queues.py and test_actions_sockets*.py. Generic XDP on a veth sees queue 0 for
every frame (measured with Linux 6.18), whatever queue the frame came on: a difference of the
kernel, held here as it is. Native XDP sees the queue.
"""

import socket

from tests.kernel.cpu_counter import CPUS, pinned
from tests.kernel.switch import Switch, udp

SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
QUEUES = 2
N = 10
SEEN = {"Native": (0, 1), "Generic": (0, 0)}


def send_to_queue(s: Switch, queue: int) -> list[bytes]:
    """N frames that arrive on one receive queue of `in`; datagrams to that port.

    A packet socket that bypasses the qdisc takes the transmit queue of its CPU, and a veth hands
    each to the receive queue of that number.
    """
    assert queue < CPUS, "each queue needs a CPU to be sent from"
    with s.far["in"].host.enter():
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    frames = [udp(queue)] * N
    with opened, pinned(queue):
        opened.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        opened.bind((s.far["in"].name, 0))
        for frame in frames:
            assert opened.send(frame) == len(frame)
    return frames
