"""Takes the socket of a queue and gives every frame back at once: `python -m tests.bench.drain DIR
INTERFACE`.

What xdp-bench's xsk-drop does, on the other side of a broker. Frames are not looked at; whole runs
of ring entries are copied from ring to ring, which takes Python less than a microsecond a frame.
Started by `sockets`, ended by SIGTERM.
"""

import select
import sys
from pathlib import Path

from xdpredirect.xsk.client import XskSocket, connect

FRAMES = 4096
_MASK = 0xFFFFFFFF


def drain(xsk: XskSocket) -> None:
    """For ever."""
    poll = select.poll()
    poll.register(xsk, select.POLLIN)
    while True:
        poll.poll()
        while give_back(xsk):
            pass


def give_back(xsk: XskSocket) -> int:
    """What has arrived goes into the fill ring, up to the end of a ring; returns how many frames.

    An address points into its frame; the kernel cuts it to the frame's beginning
    (net/xdp/xsk_buff_pool.c, xp_check_aligned).
    """
    rx, fill = xsk._rx, xsk._fill
    start, end = rx._words[rx._consumer], fill._words[fill._producer]
    first, to = start & (FRAMES - 1), end & (FRAMES - 1)
    count = min(rx._filled(), FRAMES - first, FRAMES - to)
    addresses = rx._descriptors[2 * first : 2 * (first + count) : 2]
    fill._descriptors[to : to + count] = addresses
    fill._words[fill._producer] = (end + count) & _MASK
    rx._words[rx._consumer] = (start + count) & _MASK
    return count


if __name__ == "__main__":
    with connect(Path(sys.argv[1]), sys.argv[2], frames=FRAMES) as taken:
        print("taken", flush=True)
        drain(taken)
