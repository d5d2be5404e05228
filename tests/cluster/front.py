"""An HTTPS server in front of the API server that lets some requests fail, by rule.

Used by test_failures_*.py. `proxy` breaks connections without looking into them; this one knows
requests, and so breaks the one that a test is about. What no rule is about goes through unchanged.
"""

import contextlib
import json
import math
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.cluster.cluster import Cluster
from tests.cluster.exchange import Asked, Exchange, Handler

Concerns = Callable[[Asked], bool]
Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class Rule:
    """`fault` is done to requests that `concerns` is true for, `left` more of them; `met` is how
    many there were."""

    concerns: Concerns
    fault: Fault
    left: float = 1
    met: int = 0


class Front(ThreadingHTTPServer):
    """`server` is its URL, `authority` the certificate that its clients have to trust. `asked` are
    all requests so far, in their order, `answered` those that the API server answered, with its
    status, `refused` those to which it said 429, with the seconds that it asked for."""

    daemon_threads = False
    allow_reuse_address = False
    request_queue_size = 64

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.upstream = cluster.server
        self.trust = ssl.create_default_context(
            cafile=str(cluster.control_plane.credentials.certificate)
        )
        address = cluster.network.root_address
        self.authority, key = certificate(directory, address)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.authority, key)
        super().__init__((address, 0), Handler)
        self.server = f"https://{address}:{self.server_address[1]}"
        self.asked: list[Asked] = []
        self.answered: list[tuple[Asked, int]] = []
        self.refused: list[tuple[Asked, float]] = []
        self._rules: list[Rule] = []
        self._open: set[socket.socket] = set()
        self._streams: set[Exchange] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="front")

    def __enter__(self) -> "Front":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        with self._lock:
            self._closed = True
        self.cut()
        self.server_close()

    def guard(self, kubeconfig: Path) -> None:
        """Who uses this file comes here, from its next start on."""
        document = json.loads(kubeconfig.read_text())
        document["clusters"][0]["cluster"] = {
            "server": self.server,
            "certificate-authority": str(self.authority),
        }
        kubeconfig.write_text(json.dumps(document))

    def fail(self, concerns: Concerns, fault: Fault, times: float = 1) -> Rule:
        """From now on, until it was met so often."""
        rule = Rule(concerns, fault, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """No rule holds any more."""
        with self._lock:
            self._rules.clear()

    def fault_of(self, asked: Asked) -> Fault | None:
        """What is to be done to a request, which counts as met."""
        with self._lock:
            self.asked.append(asked)
            for rule in self._rules:
                if rule.left > 0 and rule.concerns(asked):
                    rule.left, rule.met = rule.left - 1, rule.met + 1
                    return rule.fault
        return None

    def cut(self) -> int:
        """Breaks every connection that there is; returns how many."""
        with self._lock:
            ends, streams = list(self._open), list(self._streams)
        for end in ends:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(end, socket.SHUT_RDWR)
        for stream in streams:
            stream.end()
        return len(ends)

    def inject(self, concerns: Concerns, event: dict[str, object]) -> int:
        """Sends an event into every open watch that it concerns, which ends with it as the API
        server's do after an ERROR; returns into how many."""
        with self._lock:
            into = [stream for stream in self._streams if concerns(stream.asked)]
        for stream in into:
            stream.inject(event)
        return len(into)

    def watching(self, concerns: Concerns) -> int:
        """How many watches are open that it concerns."""
        with self._lock:
            return sum(concerns(stream.asked) for stream in self._streams)

    @contextlib.contextmanager
    def listed(self, stream: Exchange) -> Iterator[None]:
        """While a watch is open."""
        with self._lock:
            self._streams.add(stream)
            closed = self._closed
        try:
            if closed:
                stream.end()
            yield
        finally:
            with self._lock:
                self._streams.discard(stream)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """As socketserver calls it; the handshake is left to the connection's own thread."""
        plain, address = super().get_request()
        try:
            wrapped = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        except OSError:
            plain.close()
            raise
        with self._lock:
            self._open.add(wrapped)
        return wrapped, address

    def shutdown_request(self, request: object) -> None:
        """As socketserver calls it, after the last request of a connection."""
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.discard(request)
        request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """As socketserver calls it: connections that break are what this is for."""


def certificate(directory: Path, address: str) -> tuple[Path, Path]:
    """A new certificate for an address that is its own authority, and its key, as files."""
    certificate, key = directory / "front.crt", directory / "front.key"
    subject = ["-subj", "/CN=front", "-addext", f"subjectAltName=IP:{address}"]
    into = ["-keyout", str(key), "-out", str(certificate)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-days", "2", *subject, *into],
        check=True,
        capture_output=True,
    )
    return certificate, key


ALWAYS = math.inf
