"""A small HTTP server with scripted answers, on a real socket of the loopback.

Each request is given to the next step of the script; what was asked is kept in `requests`.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from xdpredirect.cluster.access import Access


class Asked(NamedTuple):
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: object


class Handler(BaseHTTPRequestHandler):
    """One connection; a step of the script answers through these methods."""

    protocol_version = "HTTP/1.1"
    server: "FakeServer"

    def answer(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
        step = self.server.next(asked)
        try:
            step(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def say(self, status: int, value: object, **headers: str) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


Step = Callable[[Handler], None]


class FakeServer(ThreadingHTTPServer):
    """`script` is the list of steps; the last one answers everything that comes after it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, script: list[Step], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script = list(script)
        self.requests: list[Asked] = []
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def next(self, asked: Asked) -> Step:
        with self._lock:
            self.requests.append(asked)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    @property
    def access(self) -> Access:
        return Access(server=f"http://127.0.0.1:{self.server_port}")


@contextmanager
def serving(*script: Step, port: int = 0) -> Iterator[FakeServer]:
    with FakeServer(list(script), port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def thing(name: str, version: int = 1, **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "spec": spec}


def listing(*items: object, version: int = 10, more: str = "") -> Step:
    metadata = {"resourceVersion": str(version)} | ({"continue": more} if more else {})
    return lambda handler: handler.say(200, {"kind": "List", "metadata": metadata, "items": items})


def refusal(status: int, reason: str, **headers: str) -> Step:
    value = {"kind": "Status", "code": status, "reason": reason, "message": f"said {reason}"}
    return lambda handler: handler.say(status, value, **headers)


def event(kind: str, item: object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def error_event(code: int, reason: str) -> bytes:
    return event("ERROR", {"kind": "Status", "code": code, "reason": reason, "message": reason})


def watch(*chunks: bytes, end: str = "") -> Step:
    """A watch that says `chunks`; then it ends in order, breaks ("cut"), or stays ("open")."""

    def step(handler: Handler) -> None:
        handler.begin_stream()
        for data in chunks:
            handler.chunk(data)
        if end == "open":
            handler.server.ended.wait()
        if not end:
            handler.chunk(b"")
        else:
            handler.close_connection = True

    return step


def silence(handler: Handler) -> None:
    """Accept, read the request, say nothing until the server ends."""
    handler.server.ended.wait()
    handler.close_connection = True


def cut(handler: Handler) -> None:
    """Close without an answer."""
    handler.close_connection = True
    handler.connection.close()
