"""A process that connects to a server and hands the connection to the test, which speaks over it.

    python -m tests.kernel.connector SERVER BACK

The server knows this process as its client, wherever it runs: in another namespace, in the cgroup
of a pod. It lives until the test closes BACK, or it is ended.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.lab import Host

PATIENCE_SECONDS = 60.0


@contextmanager
def connected(
    host: "Host", server: Path, *before: str, path: str
) -> Iterator[tuple[socket.socket, Popen[str]]]:
    """A connection of such a process on a host of the lab, and the process. It is started by the
    command line `before`, with this PYTHONPATH. The connection is the caller's to close."""
    words = [sys.executable, "-m", "tests.kernel.connector", str(server)]
    back = host.state_dir / "back.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        listener.bind(str(back))
        listener.listen()
        starting = host.running([*before, *words, str(back)], env={"PYTHONPATH": path})
        with starting as process, listener.accept()[0] as own:
            back.unlink()
            _, (connection,), _, _ = socket.recv_fds(own, 4, 1)
            yield socket.socket(fileno=connection), process


def main() -> None:
    """Connect, hand over, wait."""
    server, back = sys.argv[1:]
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as test,
    ):
        connection.connect(server)
        test.connect(back)
        socket.send_fds(test, [b"here"], [connection.fileno()])
        test.recv(1)


if __name__ == "__main__":
    main()
