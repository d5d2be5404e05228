"""/healthz, /readyz and /metrics over HTTP, for kubelet and Prometheus. Made by `process`.

A server of its own: kopf's runs only while kopf does, and a replica that waits for the lease has to
answer too.
"""

from collections.abc import Callable, Mapping
from functools import partial

from xdpredirect.metrics.server import Answer, Page, PageServer

Check = Callable[[], str]
"""Says what is wrong; an empty text means that nothing is."""


class Probes(PageServer):
    """Serves `checks` and `pages` by path. Raises OSError when it cannot listen."""

    def __init__(
        self,
        host: str,
        port: int,
        checks: Mapping[str, Check],
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        tested = {path: partial(_verdict, check) for path, check in checks.items()}
        super().__init__(host, port, {**tested, **(pages or {})}, "probes")


def _verdict(check: Check) -> Answer:
    """200 and `ok`, or 503 and what is wrong."""
    wrong = check()
    return Answer(503 if wrong else 200, f"{wrong or 'ok'}\n".encode())
