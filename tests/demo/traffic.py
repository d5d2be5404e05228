"""Real traffic of real stacks: ping, UDP and TCP sockets inside the hosts.

Called by the scenes. What a socket sends is retried when the local queue is full, so a datagram
that is missing at the end was lost on the way.
"""

import errno
import hashlib
import re
import select
import socket
import threading
import time
from types import TracebackType

from tests.kernel.lab import Host, LabError

IP_RECVERR, SO_RCVBUFFORCE, SO_INCOMING_CPU = 11, 33, 49
RECEIVE_BUFFER = 64 << 20
QUIET_SECONDS = 0.3
TIMEOUT = 20.0
FEW = 3
"""So many pings are sent where none is to be answered."""


def ping(host: Host, address: str, count: int) -> int:
    """How many of `count` echo requests, a hundred a second, were answered."""
    # With a deadline it waits for the last answer too, and ends when it has all of them.
    limit = ["-w", "20"] if count > FEW else ["-W", "1"]
    words = ["ping", "-q", "-c", str(count), "-i", "0.01", *limit, address]
    match = re.search(r"(\d+) received", host.run(words, check=False).stdout)
    if match is None:
        raise LabError(f"{host.name}: ping said nothing about {address}")
    return int(match[1])


class Inbox:
    """A UDP socket on `port` of a host that keeps every datagram until it is read."""

    def __init__(self, host: Host, port: int, *, sender: tuple[str, int] | None = None) -> None:
        self.received: list[bytes] = []
        with host.enter():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self._socket.bind(("0.0.0.0", port))
        if sender is not None:
            self._socket.connect(sender)
        self._socket.setblocking(False)

    def __enter__(self) -> "Inbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    @property
    def cpu(self) -> int:
        """The CPU whose network stack handled the last datagram; only with a `sender`."""
        return self._socket.getsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU)

    def settled(self, quiet: float = QUIET_SECONDS) -> int:
        """Reads until nothing came for `quiet` seconds; returns how many there are in all."""
        while select.select([self._socket], [], [], quiet)[0]:
            self.received.append(self._socket.recv(2048))
        return len(self.received)


def datagrams(host: Host, to: tuple[str, int], flows: int, each: int) -> int:
    """Sends `each` numbered datagrams from each of `flows` source ports; returns how many."""
    sockets = [_sender(host, 20_000 + flow) for flow in range(flows)]
    try:
        for number in range(flows * each):
            _send(sockets[number % flows], number, to)
    finally:
        for sock in sockets:
            sock.close()
    return flows * each


class Stream:
    """Numbered datagrams in the background, about `rate` a second, until the `with` ends."""

    def __init__(self, host: Host, to: tuple[str, int], rate: int) -> None:
        self.sent = 0
        self._to, self._rate = to, rate
        self._socket = _sender(host, 30_000)
        self._stop = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="stream")

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        if self._failure is not None and error is None:
            raise LabError(f"the stream stopped after {self.sent}: {self._failure}")

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                time.sleep(max(0.0, due - time.monotonic()))
                # A pause of the machine is not made up for by a burst.
                due = max(due, time.monotonic() - 0.05) + 1 / self._rate
                _send(self._socket, self.sent, self._to)
                self.sent += 1
        except OSError as error:
            self._failure = error


def transfer(client: Host, server: Host, to: tuple[str, int], octets: int) -> tuple[int, bool]:
    """Sends `octets` over TCP; returns how many arrived and whether they are the same ones."""
    with server.enter():
        listener = socket.create_server(("0.0.0.0", to[1]))
    with client.enter():
        sock = socket.socket()
    block = bytes(range(256)) * 256
    failure: list[OSError] = []

    def push() -> None:
        try:
            sock.connect(to)
            for _ in range(octets // len(block)):
                sock.sendall(block)
        except OSError as error:
            failure.append(error)
        finally:
            sock.close()

    sock.settimeout(TIMEOUT)
    listener.settimeout(TIMEOUT)
    with listener:
        thread = threading.Thread(target=push, name="tcp")
        thread.start()
        try:
            received, digest = _drain(listener)
        except TimeoutError as error:
            raise LabError(f"TCP to {to[0]}: {error}") from error
        finally:
            thread.join()
    if failure:
        raise LabError(f"TCP to {to[0]}: {failure[0]}")
    return received, digest == hashlib.sha256(block * (octets // len(block))).hexdigest()


def _drain(listener: socket.socket) -> tuple[int, str]:
    received, digest = 0, hashlib.sha256()
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(TIMEOUT)
        while part := connection.recv(1 << 20):
            received += len(part)
            digest.update(part)
    return received, digest.hexdigest()


def _sender(host: Host, port: int) -> socket.socket:
    with host.enter():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Without it a full queue of the own interface would drop in silence.
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.bind(("0.0.0.0", port))
    return sock


def _send(sock: socket.socket, number: int, to: tuple[str, int]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            sock.sendto(number.to_bytes(8, "big"), to)
        except OSError as error:
            if error.errno != errno.ENOBUFS or time.monotonic() > deadline:
                raise
            time.sleep(0.001)
        else:
            return
