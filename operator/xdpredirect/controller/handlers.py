"""kopf: the watch of what people write, and the life of the process around it.

Called by `process`. The handler only hands the event on; everything level-based is in `plan`. No
other module knows kopf.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Any, cast

import kopf

from xdpredirect.cluster.access import Access
from xdpredirect.cluster.resource import REDIRECTS

Heard = Callable[[str | None, dict[str, object]], None]
POLL_SECONDS = 0.2
_PREFIX = "xdpredirect.io"
_BACKOFFS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class Backoffs:
    """Delays without an end: an API server that is away for an hour must not end the process."""

    def __iter__(self) -> Iterator[float]:
        """Seconds, jittered; the last step again and again."""
        yield from (step * random.uniform(0.75, 1.25) for step in _BACKOFFS)
        while True:
            yield _BACKOFFS[-1] * random.uniform(0.75, 1.25)


async def watch(access: Callable[[], Access], heard: Heard, stop: Event) -> None:
    """Hand every event of XdpRedirects to `heard` until `stop` is set.

    Raises whatever ends kopf's watching; the caller starts it again.
    """
    registry = kopf.OperatorRegistry()
    # Its only warning is that it takes no signals here, which is on purpose.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(access())

    @kopf.on.event(REDIRECTS.group, REDIRECTS.version, REDIRECTS.plural, registry=registry)
    async def redirect(event: Mapping[str, Any], **_: Any) -> None:
        heard(event["type"], cast(dict[str, object], dict(event["object"])))

    # Cancelled in the end, and given no flag: kopf waits 5 seconds for the task that waits for it.
    running = asyncio.create_task(
        kopf.operator(registry=registry, settings=settings(), clusterwide=True, standalone=True)
    )
    while not stop.is_set() and not running.done():
        await asyncio.wait({running}, timeout=POLL_SECONDS)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def settings() -> kopf.OperatorSettings:
    """How kopf watches; times in seconds. `server_timeout` must be an integer: the API server
    takes no other."""
    made = kopf.OperatorSettings()
    made.peering.standalone = True
    made.scanning.disabled = True
    made.posting.enabled = False
    made.watching.server_timeout = 240
    made.watching.client_timeout = 270
    made.watching.connect_timeout = 15
    made.watching.reconnect_backoff = 1.0
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 15
    made.networking.error_backoffs = Backoffs()
    made.execution.default_backoff = 15
    # Not ours: kopf takes its finalizer off every object for which no handler of it asks for one.
    made.persistence.finalizer = f"{_PREFIX}/kopf"
    made.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=_PREFIX, v1=False)
    made.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=_PREFIX, v1=False)
    made.process.ultimate_exiting_timeout = 20
    return made


@dataclass(frozen=True, kw_only=True)
class Connection(kopf.ConnectionInfo):
    """`server_name` is the name that the server's certificate must hold, when it is not the
    URL's; kopf has no such field."""

    server_name: str = ""

    def as_ssl_context(self) -> ssl.SSLContext:
        """As kopf makes it, and with that name."""
        context = super().as_ssl_context()
        if self.server_name:
            wrap = context.wrap_bio

            def named(*args: Any, **given: Any) -> ssl.SSLObject:
                return wrap(*args, **{**given, "server_hostname": self.server_name})

            vars(context)["wrap_bio"] = named
        return context


def connection(access: Access) -> Connection:
    """The same server and identity for kopf. Files are read now: kopf asks again when they are
    refused."""
    token = access.token_file.read_text().strip() if access.token_file else access.token
    return Connection(
        server=access.server,
        ca_path=access.ca_file,
        ca_data=_text(access.ca_text),
        insecure=access.insecure,
        server_name=access.server_name,
        token=token or None,
        certificate_path=access.certificate_file,
        certificate_data=_text(access.certificate_text),
        private_key_path=access.key_file,
        private_key_data=_text(access.key_text),
    )


def _text(text: str) -> bytes | None:
    return text.encode() if text else None
