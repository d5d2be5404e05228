"""HTTP requests to the API server: connections, tokens, timeouts, streams.

Called by `cluster.api`. The only module that knows urllib3 (docs/decisions/0007).
"""

import contextlib
import json
import math
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from xdpredirect.cluster.access import Access
from xdpredirect.cluster.body import encoded
from xdpredirect.cluster.credentials import Stamp, TokenFile, stamp, tls_context
from xdpredirect.cluster.requests import RequestCount
from xdpredirect.cluster.resource import Document
from xdpredirect.errors import ApiError, InvalidInput

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# A peer that vanished without a word is noticed by the kernel after 15 + 3 * 5 seconds.
_STREAM_OPTIONS = (
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
# The kernel goes on sending what a process has written, for minutes and after its end. A leader
# begins no write later than 5 seconds before another one may lead: what has not arrived by then
# must not arrive at all. Not for streams: with this, one lost probe would end them.
_SEND_OPTIONS = (*_STREAM_OPTIONS, (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4000))
_CONNECTIONS = 8
_Pool = urllib3.HTTPConnectionPool
_PIECE = 65536
# Ten times what etcd takes; more than this in one line is no watch event.
_LINE_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` is without the server; empty values of `query` are left out.
    `read_seconds` bounds the silence between two pieces of the answer."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Document | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    read_seconds: float = READ_SECONDS


class Transport:
    """Connections to one API server; safe for several threads. `patience` in seconds bounds the
    silence of every request, whatever that allows itself."""

    def __init__(self, access: Access, user_agent: str, patience: float = math.inf) -> None:
        self._access, self._patience = access, patience
        self._user_agent, self.requests = user_agent, RequestCount()
        self._token = TokenFile(access.token_file) if access.token_file else None
        self._prefix = urlsplit(access.server).path
        self._stamps = self._certificate_stamps()
        self._sends, self._streams = self._new_pools()

    def send(self, request: Request) -> Document:
        """The answer, which is a JSON object. Raises ApiError."""
        self._renew()
        response = self._open(self._sends, request)
        return _parsed(_whole(response))

    def stream(self, request: Request) -> "Stream":
        """The answer line by line, as long as the server goes on. Raises ApiError."""
        self._renew()
        return Stream(self._open(self._streams, request))

    def close(self) -> None:
        """Give the idle connections up."""
        self._sends.close()
        self._streams.close()

    def _open(self, pool: _Pool, request: Request) -> urllib3.BaseHTTPResponse:
        query = urlencode({name: value for name, value in request.query.items() if value})
        try:
            response = pool.urlopen(
                request.method,
                f"{self._prefix}{request.path}" + (f"?{query}" if query else ""),
                body=None if request.body is None else encoded(request.body),
                headers=self._headers(request),
                timeout=self._timeout(request),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            self.requests.add(0)
            raise unreachable(error) from error
        self.requests.add(response.status)
        if 200 <= response.status < 300:
            return response
        after = response.headers.get("Retry-After", "")
        raise refused(response.status, _whole(response), after)

    def _timeout(self, request: Request) -> urllib3.Timeout:
        return urllib3.Timeout(
            connect=min(CONNECT_SECONDS, self._patience),
            read=min(request.read_seconds, self._patience),
        )

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"User-Agent": self._user_agent, "Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        token = self._token.read() if self._token else self._access.token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _renew(self) -> None:
        """Other connections since a certificate on disk was renewed. Raises ApiError."""
        stamps = self._certificate_stamps()
        if stamps == self._stamps:
            return
        try:
            self._sends, self._streams = self._new_pools()
        except InvalidInput as error:
            # It may be half there.
            raise ApiError(0, "BadCredentials", str(error)) from error
        self._stamps = stamps

    def _certificate_stamps(self) -> tuple[Stamp | None, ...]:
        access = self._access
        files = (access.ca_file, access.certificate_file, access.key_file)
        return tuple(stamp(path) for path in files if path is not None)

    def _new_pools(self) -> tuple[_Pool, _Pool]:
        """For requests that are answered, and for streams."""
        url, access = urlsplit(self._access.server), self._access
        kind: type[_Pool] = urllib3.HTTPConnectionPool
        tls: dict[str, Any] = {}
        if url.scheme != "http":
            kind = urllib3.HTTPSConnectionPool
            tls["ssl_context"] = tls_context(access)
            tls["server_hostname"] = access.server_name or None
            tls["assert_hostname"] = False if access.insecure else None
        made = [
            kind(url.hostname or "", url.port, maxsize=_CONNECTIONS, socket_options=options, **tls)
            for options in (_SEND_OPTIONS, _STREAM_OPTIONS)
        ]
        return made[0], made[1]


class Stream:
    """An answer that goes on; iterate over its lines. `shutdown` may come from another thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Document]:
        """Each line, a JSON object; it ends when the server ends it. Raises ApiError."""
        rest = bytearray()
        try:
            for piece in self._response.stream(_PIECE):
                *lines, tail = (rest + piece).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _parsed(bytes(line))
                rest = bytearray(tail)
                if len(rest) > _LINE_LIMIT:
                    raise ApiError(0, "BadAnswer", f"a line of the watch passes {_LINE_LIMIT} B")
        except (HTTPError, OSError, ValueError) as error:
            raise unreachable(error) from error

    def shutdown(self) -> None:
        """End the iteration in whatever thread it is."""
        # Nothing to shut down any more is as good as done.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self._response.shutdown()

    def close(self) -> None:
        """Give the connection up; to be called by the thread that iterates."""
        self._response.close()


def unreachable(error: Exception) -> ApiError:
    """No answer, or only a part of one."""
    cause = getattr(error, "reason", None) or error
    text = str(cause) or type(cause).__name__
    return ApiError(0, "Unreachable", f"the API server does not answer: {text}")


def refused(status: int, content: bytes, retry_after: str = "") -> ApiError:
    """An answer that says no: the server's Status object where there is one."""
    try:
        answer = cast(object, json.loads(content))
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        return from_status(answer, status, retry_after)
    text = content[:200].decode(errors="replace").strip() or "no explanation"
    return ApiError(status, "Refused", text, _seconds(retry_after))


def from_status(answer: Mapping[str, object], status: int = 0, retry_after: str = "") -> ApiError:
    """A Status object as an error; `status` is the one of the answer that carried it."""
    details = answer.get("details")
    told = details.get("retryAfterSeconds") if isinstance(details, Mapping) else None
    code = answer.get("code")
    return ApiError(
        status or (code if isinstance(code, int) else 500),
        str(answer.get("reason") or "Unknown"),
        str(answer.get("message") or "no explanation"),
        max(_seconds(retry_after), _seconds(str(told or ""))),
    )


def _whole(response: urllib3.BaseHTTPResponse) -> bytes:
    try:
        return response.read()
    except (HTTPError, OSError, ValueError) as error:
        response.close()
        raise unreachable(error) from error


def _parsed(content: bytes) -> Document:
    try:
        value = cast(object, json.loads(content))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(0, "BadAnswer", f"not an object: {content[:80]!r}")
    return value


def _seconds(text: str) -> float:
    """Seconds of a Retry-After header; 0 for its other form, a date, which no API server sends."""
    return float(text) if text.isdecimal() else 0.0
