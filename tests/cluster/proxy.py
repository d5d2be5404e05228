"""A TCP proxy in front of the API server, which breaks connections in the ways that networks do.

Used by test_agent_failures, test_operator_failures and test_failures_silence; a client reaches it
where it reaches the machine itself.
"""

import contextlib
import json
import selectors
import socket
import threading
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from tests.cluster.cluster import Cluster

PIECE = 65536


class Proxy:
    """Forwards bytes both ways, until told otherwise; `server` is its URL."""

    def __init__(self, cluster: Cluster) -> None:
        place = urlsplit(cluster.server)
        assert place.hostname is not None
        self._upstream = (place.hostname, place.port)
        self._listener = socket.create_server((cluster.network.root_address, 0))
        host, port = self._listener.getsockname()[:2]
        self.server = f"https://{host}:{port}"
        self.server_name = place.hostname
        self.accepted = 0
        self._lock = threading.Lock()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._mute: set[socket.socket] = set()
        self._closed = False
        self._refusing = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._thread.join()
        self.cut()
        self._selector.close()
        self._listener.close()

    def guard(self, kubeconfig: Path) -> None:
        """Who uses this file comes here, from its next start on."""
        document = json.loads(kubeconfig.read_text())
        document["clusters"][0]["cluster"] |= {
            "server": self.server,
            "tls-server-name": self.server_name,
        }
        kubeconfig.write_text(json.dumps(document))

    def cut(self) -> int:
        """Breaks every connection that there is; returns how many. New ones are let through."""
        with self._lock:
            sockets = list(self._pairs)
            for end in sockets:
                self._drop(end)
        return len(sockets) // 2

    def refuse(self, refusing: bool) -> None:
        """While True, every new connection is closed at once."""
        self._refusing = refusing

    def mute(self) -> int:
        """Every connection that there is stays open, and nothing comes through any more; returns
        how many."""
        with self._lock:
            self._mute.update(self._pairs)
            return len(self._pairs) // 2

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._forward(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._refusing:
            client.close()
            return
        try:
            server = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            client.close()
            return
        self.accepted += 1
        for end, other in ((client, server), (server, client)):
            self._pairs[end] = other
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        if end not in self._pairs:
            return
        try:
            data = end.recv(PIECE)
            if data and end not in self._mute:
                self._pairs[end].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        """Both ends of a connection, without a farewell."""
        for each in (end, self._pairs.get(end)):
            if each is not None and self._pairs.pop(each, None) is not None:
                self._mute.discard(each)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()
