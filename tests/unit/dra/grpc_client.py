"""The other side: a client of gRPC that says what it is told to, right or wrong."""

import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

SECONDS = 30.0


@dataclass
class Reply:
    message: bytes = b""
    status: int = -1
    words: str = ""
    ended: bool = False


@dataclass
class Client:
    """Octets in and out; `replies` by stream."""

    http: H2Connection = field(default_factory=lambda: H2Connection(H2Configuration()))
    replies: dict[int, Reply] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http.initiate_connection()

    def call(self, method: str, message: bytes) -> int:
        return self.raw_call(method, struct.pack("!BI", 0, len(message)) + message)

    def raw_call(self, method: str, body: bytes) -> int:
        stream = self.http.get_next_available_stream_id()
        self.http.send_headers(
            stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", method),
                (":authority", "localhost"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ],
        )
        for at in range(0, len(body), 10_000):
            self.http.send_data(stream, body[at : at + 10_000])
        self.http.end_stream(stream)
        self.replies[stream] = Reply()
        return stream

    def receive(self, octets: bytes) -> None:
        for event in self.http.receive_data(octets):
            reply = self.replies.get(getattr(event, "stream_id", None) or 0, Reply())
            if isinstance(event, ResponseReceived | TrailersReceived):
                headers = dict(event.headers or ())
                reply.status = int(headers.get(b"grpc-status", reply.status))
                reply.words = unquote(headers.get(b"grpc-message", b"").decode()) or reply.words
            elif isinstance(event, DataReceived):
                reply.message += event.data or b""
                self.http.acknowledge_received_data(
                    event.flow_controlled_length or 0, event.stream_id or 0
                )
            elif isinstance(event, StreamEnded | StreamReset):
                reply.ended = True


class Connected(Client):
    """The same at a socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(SECONDS)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise

    def until(self, *streams: int) -> list[Reply]:
        """Replies to these, which all have come; EOFError when the other side hangs up before."""
        self.socket.sendall(self.http.data_to_send())
        while not all(self.replies[stream].ended for stream in streams):
            octets = self.socket.recv(65536)
            if not octets:
                raise EOFError
            self.receive(octets)
            self.socket.sendall(self.http.data_to_send())
        return [self.replies[stream] for stream in streams]

    def ask(self, method: str, message: bytes) -> Reply:
        (reply,) = self.until(self.call(method, message))
        assert reply.message[:5] == struct.pack("!BI", 0, len(reply.message[5:])) or reply.status
        reply.message = reply.message[5:]
        return reply

    def close(self) -> None:
        self.socket.close()
