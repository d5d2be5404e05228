"""/healthz and /readyz over HTTP, for kubelet. Made by `process`.

A server of its own: kopf's runs only while kopf does, and a replica that waits for the lease has to
answer too.
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POLL_SECONDS = 0.1
Check = Callable[[], str]
"""Says what is wrong; an empty text means that nothing is."""


class Probes(ThreadingHTTPServer):
    """Serves `checks` by path from a thread of its own until `close`. Raises OSError when it cannot
    listen on `host` and `port`; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, host: str, port: int, checks: dict[str, Check]) -> None:
        super().__init__((host, port), _Handler)
        self.checks = checks
        self._thread = threading.Thread(
            target=self.serve_forever, args=(POLL_SECONDS,), name="probes", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop to answer."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Probes
    timeout = 5

    def do_GET(self) -> None:
        """200 and `ok`, 503 and what is wrong, or 404."""
        check = self.server.checks.get(self.path)
        wrong = check() if check else "unknown path"
        self.send_response(404 if check is None else 503 if wrong else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"{wrong or 'ok'}\n".encode())

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds and tell nothing."""
