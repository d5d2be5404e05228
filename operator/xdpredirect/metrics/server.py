"""Pages over HTTP for whoever watches a process: the kubelet's probes and Prometheus.

Made by `controller.probes` and `agent.exporter`. It answers GET, keeps nothing and knows no caller.
"""

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

POLL_SECONDS = 0.1
AT_ONCE = 32
"""Requests; who sends more is hung up on. A port of a node's address is open to strangers."""
TEXT = "text/plain; charset=utf-8"
log = logging.getLogger("xdpredirect.metrics")


class Answer(NamedTuple):
    """`status` is that of HTTP."""

    status: int
    body: bytes
    content_type: str = TEXT


Page = Callable[[], Answer]
_UNKNOWN = Answer(404, b"unknown path\n")
_FAILED = Answer(500, b"a defect, see the log\n")


class PageServer(ThreadingHTTPServer):
    """Serves `pages` by path from threads of its own until `close`. Raises OSError when it cannot
    listen on `host` (empty: on every address) and `port`; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = AT_ONCE

    def __init__(self, host: str, port: int, pages: Mapping[str, Page], name: str) -> None:
        self.pages = pages
        self._free = threading.Semaphore(AT_ONCE)
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(POLL_SECONDS,), name=name, daemon=True
        )
        self._thread.start()

    def server_bind(self) -> None:
        """As any TCP server. That of HTTP asks the DNS for a name that nothing here needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, while there are not too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """That thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """A caller that hangs up early is nothing to tell of."""
        log.debug("%s hung up", client_address, exc_info=True)

    def close(self) -> None:
        """Stop to answer."""
        self.shutdown()
        self._thread.join()
        self.server_close()


def listening(address: str) -> tuple[str, int]:
    """Host and port of a setting such as `:8080`, `127.0.0.1:8080` or `[::1]:8080`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 5

    def do_GET(self) -> None:
        """The page of the path, or 404."""
        page = self.server.pages.get(self.path.partition("?")[0])
        try:
            answer = page() if page else _UNKNOWN
        except Exception:
            # Whoever scrapes must learn of it; the process has better things to do than to end.
            log.exception("cannot answer %s", self.path)
            answer = _FAILED
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds and tell nothing."""
