"""What kubelet asks of a driver: who it is, and to prepare claims or to revert that.

Made by `agent.claims`; `server` calls `methods` from its threads.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from xdpredirect.cluster.resource import RESOURCE_CLAIMS, Document, Resource
from xdpredirect.dra import cdi, messages
from xdpredirect.dra.claims import Claim, objection, read_claim
from xdpredirect.dra.devices import DRIVER, Device
from xdpredirect.dra.messages import ClaimRef, PreparedDevice
from xdpredirect.dra.server import Method
from xdpredirect.dra.store import ClaimStore
from xdpredirect.errors import ApiError
from xdpredirect.xsk.grants import Grant

PATIENCE_SECONDS = 20.0
"""So long a claim waits for the operator to name its pod. kubelet allows 45 s, and asks again
after a minute or so where it was refused."""
log = logging.getLogger("xdpredirect.dra")


class Reader(Protocol):
    """The one verb that is needed of `cluster.api.Api`."""

    def get(self, resource: Resource, name: str) -> Document | None:
        """The object; None when there is none. Raises ApiError."""
        ...


class Driver:
    """`endpoint` is the socket that kubelet finds; `changed` is called after a claim came or went,
    by a thread of the server."""

    def __init__(
        self,
        node: str,
        endpoint: Path,
        reader: Reader,
        store: ClaimStore,
        changed: Callable[[], None],
    ) -> None:
        self._node, self._endpoint = node, endpoint
        self._reader, self._store, self._changed = reader, store, changed
        self._news = threading.Condition()
        self._devices: Collection[Device] = ()
        self._grants: Collection[Grant] = ()
        self._stopping = False

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the path of a call."""
        return {
            messages.GET_INFO: self._get_info,
            messages.NOTIFY: self._notify,
            messages.PREPARE: self._prepare,
            messages.UNPREPARE: self._unprepare,
        }

    def update(self, devices: Collection[Device], grants: Collection[Grant]) -> tuple[Claim, ...]:
        """What this node offers, and who may have it without regard to claims; the claims that are
        prepared."""
        with self._news:
            self._devices, self._grants = devices, grants
            self._news.notify_all()
            return self._store.claims

    def stop(self) -> None:
        """Nobody is to wait any longer."""
        with self._news:
            self._stopping = True
            self._news.notify_all()

    def _get_info(self, _: bytes) -> bytes:
        return messages.plugin_info(DRIVER, str(self._endpoint))

    def _notify(self, message: bytes) -> bytes:
        if words := messages.read_registration(message):
            log.error("kubelet does not take the driver %s: %s", DRIVER, words)
        else:
            log.info("kubelet has registered the driver %s", DRIVER)
        return b""

    def _prepare(self, message: bytes) -> bytes:
        until = time.monotonic() + PATIENCE_SECONDS
        return messages.prepared(
            {ref.uid: self._prepared(ref, until) for ref in messages.read_claims(message)}
        )

    def _prepared(self, ref: ClaimRef, until: float) -> tuple[PreparedDevice, ...] | str:
        try:
            document = self._reader.get(RESOURCE_CLAIMS.within(ref.namespace), ref.name)
            found = self._await(document, ref, until)
        except (ApiError, OSError) as error:
            found = str(error)
        if isinstance(found, str):
            log.warning("claim %s/%s is not prepared: %s", ref.namespace, ref.name, found)
            return found
        log.info("claim %s/%s is prepared", ref.namespace, ref.name)
        self._changed()
        return cdi.prepared(found, self._node)

    def _await(self, document: Document | None, ref: ClaimRef, until: float) -> Claim | str:
        """The claim, once it may be prepared and is; or why not, when there is no more time."""
        with self._news:
            while True:
                found = read_claim(document, ref, self._node, self._devices)
                if isinstance(found, str):
                    words = found
                else:
                    words = objection(found, self._grants, self._store.claims)
                    if not words:
                        self._store.keep(found)
                        return found
                left = until - time.monotonic()
                if self._stopping or left <= 0:
                    return words
                self._news.wait(left)

    def _unprepare(self, message: bytes) -> bytes:
        answers = {ref.uid: self._dropped(ref) for ref in messages.read_claims(message)}
        self._changed()
        return messages.unprepared(answers)

    def _dropped(self, ref: ClaimRef) -> str:
        try:
            with self._news:
                self._store.drop(ref.uid)
                self._news.notify_all()
        except OSError as error:
            return str(error)
        log.info("claim %s/%s is given back", ref.namespace, ref.name)
        return ""
