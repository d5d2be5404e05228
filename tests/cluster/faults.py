"""What rules of `front` are about, and what they do. Used by test_failures_*.py."""

import re
from http import HTTPStatus

from tests.cluster.exchange import Asked, Exchange
from tests.cluster.front import Concerns, Fault
from tests.cluster.process import Process

KOPF, OPERATOR, AGENT = "kopf/", "xdpredirect-operator/", "xdpredirect-agent/"


def writes_to(pattern: str, method: str = "") -> Concerns:
    """Writes to paths that match, of any method unless told."""
    found = re.compile(pattern)

    def concerns(asked: Asked) -> bool:
        right = asked.writes if not method else asked.method == method
        return right and found.search(asked.path) is not None

    return concerns


def reads_of(client: str, pattern: str = "", *, watches: bool = False) -> Concerns:
    """What this client lists and watches, or only what it watches."""
    found = re.compile(pattern)

    def concerns(asked: Asked) -> bool:
        mine = asked.client.startswith(client) and not asked.writes
        return mine and (asked.watches or not watches) and found.search(asked.path) is not None

    return concerns


def refused(status: HTTPStatus, reason: str, **headers: str) -> Fault:
    """An answer as the API server's: a Status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def fault(exchange: Exchange) -> None:
        exchange.answer(status, named, told(status, reason))

    return fault


def error_event(status: HTTPStatus, reason: str) -> dict[str, object]:
    """A line of a watch that ends it."""
    return {"type": "ERROR", "object": told(status, reason)}


def told(status: HTTPStatus, reason: str) -> dict[str, object]:
    """A Status object."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"injected: {status.phrase}",
        "reason": reason,
        "code": int(status),
    }


def dropped(exchange: Exchange) -> None:
    """The connection breaks, and nobody did what was asked."""
    exchange.drop()


def swallowed(exchange: Exchange) -> None:
    """It is done, and the connection breaks before the answer."""
    exchange.swallow()


def killing(process: Process, moment: str) -> Fault:
    """The client dies `before` the API server does what it asked, or `after`, without an answer."""

    def fault(exchange: Exchange) -> None:
        if moment == "after":
            exchange.swallow()
        process.kill()
        exchange.drop()

    return fault
