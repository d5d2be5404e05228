"""A Unix socket at which kubelet finds a driver, and threads that serve it. Made by `driver`.

The directory is kubelet's and only root gets into it, so nobody is asked who he is. kubelet calls
a driver as soon as there is a file in the directory; it appears when the socket already listens.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from xdpredirect.dra.http2 import INVALID, UNIMPLEMENTED, UNKNOWN, Call, Conversation
from xdpredirect.errors import InvalidInput

Method = Callable[[bytes], bytes]
"""What a call brings, and its answer. Raises InvalidInput for what cannot be read."""
_AT_ONCE, _CONNECTIONS = 32, 16
_OCTETS = 65536
log = logging.getLogger("xdpredirect.dra")


class Server:
    """Serves `methods` by their paths until `close`, or to the end of a `with`. Methods are called
    from several threads. Raises OSError when the socket cannot be made."""

    def __init__(self, path: Path, methods: Mapping[str, Method]) -> None:
        self._path, self._methods = path, methods
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._listener = _listen(path)
        self._calls = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dra-call")
        self._thread = threading.Thread(target=self._accept, name="dra-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_alive(self) -> bool:
        """Whether it still accepts; False after a defect."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop to serve: kubelet sees that the driver is gone. Waits for calls that are under way,
        which have to end by themselves."""
        self._path.unlink(missing_ok=True)
        # A thread that waits in accept() is not woken by close().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        with self._lock:
            threads = (*self._connections.values(),)
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        self._calls.shutdown()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # By `close`; who made this looks after `is_alive`.
            served = _Connection(connection, self._calls, self._methods)
            thread = threading.Thread(
                target=self._serve, args=(served,), name="dra-connection", daemon=True
            )
            with self._lock:
                full = len(self._connections) >= _CONNECTIONS
                if not full:
                    self._connections[connection] = thread
                    thread.start()
            if full:
                log.warning("refused a connection: there are %d", _CONNECTIONS)
                connection.close()

    def _serve(self, served: "_Connection") -> None:
        try:
            served.serve()
        finally:
            with self._lock:
                self._connections.pop(served.socket, None)
                served.socket.close()


class _Connection:
    """Reads in its own thread, answers from those of the calls."""

    def __init__(
        self, accepted: socket.socket, calls: ThreadPoolExecutor, methods: Mapping[str, Method]
    ) -> None:
        self.socket = accepted
        self._calls, self._methods = calls, methods
        self._conversation = Conversation()
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Until the other side, or the server, has enough."""
        try:
            self._flush()
            while not self._conversation.over and (octets := self.socket.recv(_OCTETS)):
                with self._lock:
                    calls = self._conversation.receive(octets)
                self._flush()
                for call in calls:
                    self._calls.submit(self._answer, call)
        except OSError as error:
            log.debug("a connection ended: %s", error)
        except RuntimeError:
            return  # The server is being closed and takes no more calls.

    def _answer(self, call: Call) -> None:
        method = self._methods.get(call.method)
        try:
            if method is None:
                self._refuse(call, UNIMPLEMENTED, f"there is no {call.method}")
            else:
                message = method(call.message)
                with self._lock:
                    self._conversation.answer(call.stream, message)
        except InvalidInput as error:
            self._refuse(call, INVALID, str(error))
        except Exception as error:
            log.exception("%s failed", call.method)
            self._refuse(call, UNKNOWN, f"{type(error).__name__}: {error}")
        with contextlib.suppress(OSError):
            self._flush()

    def _refuse(self, call: Call, status: int, words: str) -> None:
        with self._lock:
            self._conversation.refuse(call.stream, status, words)

    def _flush(self) -> None:
        with self._lock:
            self.socket.sendall(self._conversation.take())


def _listen(path: Path) -> socket.socket:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(new))
        new.chmod(0o600)
        listener.listen(_CONNECTIONS)
        new.replace(path)
    except BaseException:
        listener.close()
        raise
    return listener
