"""A device that was moved into a pod's network namespace: its frames arrive in the sockets that
processes there make and bring."""

from pathlib import Path

import pytest

from tests.kernel.handing import frames, held, sockets, taken, thing
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.moving import Moving, interface

N = 1000


@pytest.fixture
def moving(lab: Lab, tmp_path: Path) -> Moving:
    return Moving(lab, tmp_path / "wanted")


def test_nobody_in_the_pod_receives_the_exact_frames(moving: Moving) -> None:
    moving.want(sockets("0"))
    with moving.agent():
        moving.serves()
        before = interface(moving)
        moving.move()
        with moving.bringer("--count", str(N)) as client:
            taken(client)
            sent = frames(N)
            moving.far.send(sent)
            output, _ = client.communicate(timeout=60)
        *lines, last = output.splitlines()
        assert lines == [f"{len(frame)} {frame.hex()}" for frame in sent]
        assert last == f"{N} frames; lost: 0 for a full ring, 0 for want of memory, 0 otherwise"
        until(lambda: not held(moving), "the end of the socket")
        moving.is_away()
        now = interface(moving)
        assert (now["away"], now["mode"]) == (True, "Native")
        assert now["programId"] == before["programId"], "nothing was made anew"
        (rule,) = now["rules"]
        assert rule["counters"]["packets"] == N
        assert thing(moving)["interfaces"] == ["in"]
