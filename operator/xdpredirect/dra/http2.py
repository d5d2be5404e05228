"""The server's side of gRPC over HTTP/2, as octets in and octets out: no socket, no thread.

Made by `server` for each connection. Calls with one message each way, uncompressed, which is all
that kubelet makes. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import struct
from dataclasses import dataclass
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

_PREFIX = struct.Struct("!BI")
_MOST_OCTETS = 1 << 20
OK, UNKNOWN, INVALID, EXHAUSTED, UNIMPLEMENTED = 0, 2, 3, 8, 12
"""Status codes of gRPC."""


@dataclass(frozen=True, slots=True)
class Call:
    """A whole call; `message` is what came with it."""

    stream: int
    method: str
    message: bytes


@dataclass(slots=True)
class _Stream:
    method: str
    received: bytearray
    unsent: bytes = b""


class Conversation:
    """One connection. What is to be sent is in `take` after every method; `over` says that nothing
    more will come of it."""

    def __init__(self) -> None:
        self._http = H2Connection(H2Configuration(client_side=False))
        self._http.initiate_connection()
        self._streams: dict[int, _Stream] = {}
        self.over = False

    def take(self) -> bytes:
        """Octets for the other side."""
        return self._http.data_to_send()

    def receive(self, octets: bytes) -> tuple[Call, ...]:
        """Octets of the other side; the calls that are complete with them."""
        try:
            events = self._http.receive_data(octets)
        except ProtocolError:
            self.over = True
            return ()
        calls = [call for event in events if (call := self._heard(event)) is not None]
        return tuple(calls)

    def answer(self, stream: int, message: bytes) -> None:
        """The answer to a call. Nothing happens when its caller has given up."""
        if self.over or (found := self._streams.get(stream)) is None:
            return
        self._http.send_headers(stream, [(":status", "200"), _CONTENT])
        found.unsent = _PREFIX.pack(0, len(message)) + message
        self._send(stream)

    def refuse(self, stream: int, status: int, words: str) -> None:
        """An error instead of an answer."""
        if self.over or self._streams.pop(stream, None) is None:
            return
        headers = [(":status", "200"), _CONTENT, *_status(status, words)]
        self._http.send_headers(stream, headers, end_stream=True)

    def _heard(self, event: Event) -> Call | None:
        match event:
            case RequestReceived(headers=headers, stream_id=stream):
                path = next((value for name, value in headers or () if name == b":path"), b"")
                self._streams[stream or 0] = _Stream(path.decode(errors="replace"), bytearray())
            case DataReceived(stream_id=stream):
                self._take_data(event)
            case StreamEnded(stream_id=stream) if stream in self._streams:
                return self._complete(stream)
            case StreamReset(stream_id=stream):
                self._streams.pop(stream or 0, None)
            case WindowUpdated():
                for stream in [*self._streams]:
                    self._send(stream)
            case ConnectionTerminated():
                self.over = True
        return None

    def _take_data(self, event: DataReceived) -> None:
        stream = event.stream_id or 0
        self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        if (found := self._streams.get(stream)) is None:
            return
        found.received += event.data or b""
        if len(found.received) > _MOST_OCTETS:
            self.refuse(stream, EXHAUSTED, f"a message has {_MOST_OCTETS} octets at most")

    def _complete(self, stream: int) -> Call | None:
        found = self._streams[stream]
        data = bytes(found.received)
        if len(data) < _PREFIX.size or data[0] != 0:
            self.refuse(stream, UNIMPLEMENTED, "one message in each call, and not compressed")
            return None
        _, length = _PREFIX.unpack_from(data)
        if length != len(data) - _PREFIX.size:
            self.refuse(stream, UNIMPLEMENTED, "one whole message in each call")
            return None
        return Call(stream, found.method, data[_PREFIX.size :])

    def _send(self, stream: int) -> None:
        """As much as the other side has room for; the rest when it says that there is more."""
        found = self._streams[stream]
        while found.unsent:
            window = self._http.local_flow_control_window(stream)
            size = min(window, self._http.max_outbound_frame_size, len(found.unsent))
            if not size:
                return
            self._http.send_data(stream, found.unsent[:size])
            found.unsent = found.unsent[size:]
            if not found.unsent:
                del self._streams[stream]
                self._http.send_headers(stream, _status(OK, ""), end_stream=True)


_CONTENT = ("content-type", "application/grpc")


def _status(status: int, words: str) -> list[tuple[str, str]]:
    message = [("grpc-message", quote(words, safe=" ,;:()/'"))] if words else []
    return [("grpc-status", str(status)), *message]
