"""What a broker has written down of its sockets, read by the next one."""

import json
from pathlib import Path

from xdpredirect.xsk.grants import CopyMode, Grant
from xdpredirect.xsk.memory import Memory, Remembered

SOCKET = Remembered(cookie=7, interface="eth0", ifindex=4, queue=1, uid=9, pod="")


def grant(ifindex: int, away: bool) -> Grant:
    return Grant("o", "r", "eth0", ifindex, frozenset({1}), frozenset({9}), False, CopyMode.AUTO,
                 away=away)  # fmt: skip


def test_a_socket_is_of_one_device_in_one_place() -> None:
    moved = Remembered(7, "eth0", 4, 1, 9, "", away=True)
    assert SOCKET.is_for([grant(4, away=False)])
    assert moved.is_for([grant(5, away=False), grant(4, away=True)])
    assert not SOCKET.is_for([grant(4, away=True), grant(5, away=False)])
    assert not moved.is_for([grant(4, away=False)])
    assert not moved.is_for([])


def test_a_file_of_an_agent_that_knew_of_no_moved_devices(tmp_path: Path) -> None:
    path = tmp_path / "sockets.json"
    Memory(path).keep(SOCKET)
    found = json.loads(path.read_text())
    del found["sockets"][0]["away"]
    path.write_text(json.dumps(found))
    assert Memory(path).all() == (SOCKET,)
