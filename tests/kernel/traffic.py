"""A redirected path of real interfaces: what the agent finds about it and what gets through it.

Used by test_traps*.py.
"""

import contextlib
import re
import shlex
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.kernel.bytecode import attached, redirect_to
from tests.kernel.lab import Host, Port
from xdpredirect.agent.findings import Target, Usage, findings
from xdpredirect.agent.report import Finding
from xdpredirect.host import XdpMode
from xdpredirect.kernel.host import observe_host

N = 50
EXPERIMENT = b"\x88\xb5"


@dataclass(frozen=True)
class Redirect:
    """Frames from `source` arrive on `ingress` and go to `target`, whose far end is `sink`."""

    source: Port
    ingress: Port
    target: Port
    sink: Port

    def findings(self, mode: XdpMode = XdpMode.NATIVE, **usage: Any) -> dict[str, Finding]:
        """By reason, as the agent of the ingress's host would see it now."""
        kind = usage.pop("kind", "device")
        with self.ingress.host.enter():
            host = observe_host()
        link, target = host.link(self.ingress.ifindex), host.link(self.target.ifindex)
        assert link is not None
        usage.setdefault("redirects", True)
        to = Target(rule="r", kind=kind, name=self.target.name, link=target)
        targets = (to,) if usage["redirects"] else ()
        found = findings(
            [Usage(object="o", interface=link, mode=mode, targets=targets, **usage)], host
        )
        assert len({f.reason for f in found}) == len(found)
        return {f.reason: f for f in found}

    @contextlib.contextmanager
    def running(self, *, generic: bool = False, frags: bool = False) -> Iterator[None]:
        """Every frame that arrives on `ingress` is redirected, until the end."""
        code = redirect_to(self.target.ifindex)
        with attached(self.ingress, code, generic=generic, frags=frags):
            yield

    def delivered(
        self, n: int = N, length: int = 100, to: bytes = b"\xff" * 6, *, seconds: float = 2.0
    ) -> int:
        """How many of `n` frames written by `source` arrive at `sink`, within that time."""
        frame = to + self.source.mac + EXPERIMENT + bytes(length - 14)
        with self.sink.counter(lambda f: f[12:14] == EXPERIMENT) as counter:
            self.source.send([frame] * n)
            counter.wait(n, timeout=seconds)
            counter.settled()
        return counter.count


def mend(host: Host, finding: Finding, peer: str = "") -> None:
    """Runs the command in the words of a finding, `peer` in the place of <peer>."""
    command = re.search(
        r"`((?:ethtool -K|ip link) [^`]*)`", finding.message.replace("<peer>", peer)
    )
    assert command is not None, finding.message
    host.run(shlex.split(command[1]))


def addressed(path: Redirect) -> Redirect:
    """Gives both ends an address and tells each the other's MAC: no ARP is needed."""
    for here, there, n in ((path.source, path.sink, 1), (path.sink, path.source, 2)):
        here.host.address(here.name, f"192.0.2.{n}/24")
        neighbour = ("neighbour", "add", f"192.0.2.{3 - n}", "lladdr", there.mac.hex(":"))
        here.host.ip(*neighbour, "dev", here.name, "nud", "permanent")
    return path


def udp_delivered(path: Redirect) -> int:
    """How many of N datagrams of the sender's own stack a socket behind `sink` receives."""
    with path.sink.host.enter():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with path.source.host.enter():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind(("192.0.2.2", 5000))
        receiver.settimeout(2.0)
        for _ in range(N):
            sender.sendto(b"x" * 100, ("192.0.2.2", 5000))
        received = 0
        with contextlib.suppress(TimeoutError):
            while received < N:
                receiver.recv(200)
                received += 1
        return received


def tcp_delivered(path: Redirect, octets: int, seconds: float) -> int:
    """How much of a TCP stream gets through in that time."""
    with path.sink.host.enter():
        listener = socket.create_server(("192.0.2.2", 5001))
    with path.source.host.enter():
        client = socket.socket()
    received = 0
    with listener, client:
        client.settimeout(seconds)
        client.connect(("192.0.2.2", 5001))
        server, _ = listener.accept()

        def stream() -> None:
            # Ends when the time is over or the other side has seen enough.
            with contextlib.suppress(OSError):
                client.sendall(bytes(octets))

        thread = threading.Thread(target=stream)
        thread.start()
        deadline = time.monotonic() + seconds
        with server:
            while received < octets and (left := deadline - time.monotonic()) > 0:
                server.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    received += len(server.recv(1 << 20))
        with contextlib.suppress(OSError):
            # Wakes the thread; the other side may be gone already.
            client.shutdown(socket.SHUT_RDWR)
        thread.join()
    return received
