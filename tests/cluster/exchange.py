"""One request on its way through `front`, and the ways in which it can fail.

A rule's fault ends an exchange with one of `forward`, `swallow`, `answer`, `stream` and `drop`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.cluster.front import Front

PIECE = 65536
TIMEOUT_SECONDS = 60.0
# Of the connection, not of the message; and the body comes in pieces of our own.
HOP = frozenset({"connection", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came, `at` in monotonic seconds. `client` is its User-Agent: kopf has another
    one than we."""

    method: str
    path: str
    query: str
    client: str
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def watches(self) -> bool:
        """Whether the answer goes on until somebody ends it."""
        return "watch=" in self.query

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    def document(self) -> dict[str, Any]:
        """Of a write."""
        return cast(dict[str, Any], json.loads(self.body))


class Exchange:
    """`asked`, and what is answered to it."""

    def __init__(self, front: Front, handler: Handler, asked: Asked) -> None:
        self.asked = asked
        self._front, self._handler = front, handler
        # Pieces of a stream, and what a test sends into it, do not mix.
        self._writing = threading.Lock()
        self._ended = False
        self._source: socket.socket | None = None

    def forward(self) -> None:
        """As if nobody were in between."""
        with self._upstream() as response:
            if self.asked.watches and response.status == http.HTTPStatus.OK:
                self._go_on(response)
            else:
                self._begin(response.status, dict(response.getheaders()), response.read())
                if response.status == http.HTTPStatus.TOO_MANY_REQUESTS:
                    # Now that its client has been told.
                    seconds = float(response.headers["Retry-After"])
                    self._front.refused.append((self.asked, seconds))

    def swallow(self) -> None:
        """The API server does what is asked, and the answer never arrives."""
        with self._upstream() as response:
            response.read()
        self.drop()

    def answer(self, status: int, headers: Mapping[str, str], document: Mapping[str, Any]) -> None:
        """Instead of the API server."""
        content = {"Content-Type": "application/json", **headers}
        self._begin(status, content, json.dumps(document).encode())

    def stream(self, events: Sequence[Mapping[str, Any]]) -> None:
        """A watch that says only this and ends."""
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        self._begin(http.HTTPStatus.OK, {"Content-Type": "application/json"}, lines)

    def drop(self) -> None:
        """No answer: the connection breaks."""
        self._handler.close_connection = True

    def inject(self, event: Mapping[str, Any]) -> None:
        """One more line of a stream, from any thread; the last one."""
        with contextlib.suppress(OSError), self._writing:
            if not self._ended:
                self._piece(json.dumps(event).encode() + b"\n")
        self.end()

    def end(self) -> None:
        """No more of a stream, from any thread."""
        source = self._source
        with contextlib.suppress(OSError):
            if source is not None:
                socket.socket.shutdown(source, socket.SHUT_RDWR)

    def _go_on(self, response: http.client.HTTPResponse) -> None:
        """Whole lines, as they come."""
        self._head(response.status, {"Content-Type": "application/json"}, chunked=True)
        rest = b""
        with self._front.listed(self):
            with contextlib.suppress(OSError, http.client.HTTPException):
                while piece := response.read1(PIECE):
                    lines, end, rest = (rest + piece).rpartition(b"\n")
                    with self._writing:
                        self._piece(lines + end)
            with self._writing:
                self._ended = True
                self._handler.wfile.write(b"0\r\n\r\n")

    def _piece(self, data: bytes) -> None:
        if data:
            self._handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _begin(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._head(status, {**headers, "Content-Length": str(len(body))}, chunked=False)
        self._handler.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str], *, chunked: bool) -> None:
        self._handler.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP or name == "Content-Length":
                self._handler.send_header(name, value)
        if chunked:
            self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()

    @contextlib.contextmanager
    def _upstream(self) -> Iterator[http.client.HTTPResponse]:
        asked, place = self.asked, urlsplit(self._front.upstream)
        timeout = None if asked.watches else TIMEOUT_SECONDS
        connection = http.client.HTTPSConnection(
            place.netloc, timeout=timeout, context=self._front.trust
        )
        headers = {n: v for n, v in self._handler.headers.items() if n.lower() not in HOP}
        # As it is: what would be compressed could not be looked into, nor ended line by line.
        headers["Accept-Encoding"] = "identity"
        url = asked.path + (f"?{asked.query}" if asked.query else "")
        try:
            connection.request(asked.method, url, asked.body or None, headers)
            self._source = connection.sock
            with contextlib.closing(connection.getresponse()) as response:
                self._front.answered.append((asked, response.status))
                yield response
        finally:
            connection.close()


class Handler(BaseHTTPRequestHandler):
    """One connection of a client, in a thread of its own."""

    protocol_version = "HTTP/1.1"
    server: Front

    def handle(self) -> None:
        """Requests until either side ends it; that it breaks is what a test may want."""
        with contextlib.suppress(OSError, ssl.SSLError, http.client.HTTPException, ValueError):
            self.connection.do_handshake()
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the clients have logs."""

    def _do(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            # Its client died in the middle of it: nobody has asked for anything.
            self.close_connection = True
            return
        asked = Asked(
            method=self.command,
            path=path,
            query=query,
            client=self.headers.get("User-Agent", ""),
            body=body,
        )
        exchange = Exchange(self.server, self, asked)
        fault = self.server.fault_of(asked)
        if fault is None:
            exchange.forward()
        else:
            fault(exchange)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815 - the names of http.server
