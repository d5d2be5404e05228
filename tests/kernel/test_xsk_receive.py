"""Clients without privileges receive exactly what was sent, through sockets handed to them."""

from tests.kernel.brokered import brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY

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
