"""A process that connects to a server and hands the connection to the test, which speaks over it.

    python -m tests.kernel.connector SERVER BACK

The server knows this process as its client, wherever it runs: in another namespace, in the cgroup
of a pod. It lives until the test closes BACK. Used by dpdk_pods.py.
"""

import socket
import sys


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
