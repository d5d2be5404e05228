"""Keeps the ResourceSlices of this node as they are to be, whoever else deletes or changes them.

Made by `agent.claims`. kubelet deletes those of a driver that it does not find, and all of them
when it starts.
"""

import logging
import random
import threading
from collections.abc import Collection, Sequence
from typing import cast

from xdpredirect.cluster.api import Api, Query, name_of
from xdpredirect.cluster.backoff import Backoff
from xdpredirect.cluster.reflector import Reflector
from xdpredirect.cluster.resource import NODE_OBJECTS, RESOURCE_SLICES, Document
from xdpredirect.dra.devices import DRIVER, Device
from xdpredirect.dra.slices import Pool, Writes, plan
from xdpredirect.errors import ApiError

MANAGER = "xdpredirect-agent"
_STOP_SECONDS = 2.0
log = logging.getLogger("xdpredirect.dra")


class Publisher(threading.Thread):
    """`want` comes from another thread and returns at once. Nothing is written before it was called
    for the first time. The slices stay when the thread ends."""

    def __init__(self, api: Api, node: str) -> None:
        super().__init__(name="slices", daemon=True)
        self._api, self._node = api, node
        self._backoff = Backoff(chance=random.random, longest=60.0)
        self._news = threading.Condition()
        self._wanted: Collection[Device] | None = None
        self._there: dict[str, Document] | None = None
        self._uid = ""
        self._stopped = False
        self._told: tuple[int, str] | None = None
        selector = f"spec.nodeName={node},spec.driver={DRIVER}"
        query = Query(resource=RESOURCE_SLICES, field_selector=selector)
        self.reflector = Reflector(api, query, self)

    def want(self, devices: Collection[Device]) -> None:
        """These are the devices of the node from now on."""
        with self._news:
            self._wanted = devices
            self._news.notify()

    def replaced(self, items: Sequence[Document]) -> None:
        """As `cluster.reflector.Sink`."""
        with self._news:
            self._there = {name_of(item): item for item in items}
            self._news.notify()

    def changed(self, item: Document) -> None:
        """As `cluster.reflector.Sink`."""
        self._know(name_of(item), item)

    def deleted(self, name: str) -> None:
        """As `cluster.reflector.Sink`."""
        self._know(name, None)

    def stop(self) -> None:
        """End soon, and wait for that."""
        with self._news:
            self._stopped = True
            self._news.notify()
        self.reflector.stop()
        for thread in (self.reflector, self):
            if thread.is_alive():
                thread.join(_STOP_SECONDS)

    def run(self) -> None:
        """Write what differs until `stop`."""
        self.reflector.start()
        while (writes := self._next()) is not None:
            try:
                self._write(writes)
            except ApiError as error:
                self._wait(error)
            else:
                self._backoff.reset()
                self._told = None

    def _next(self) -> Writes | None:
        """Wait until something differs; None when asked to stop."""
        with self._news:
            while not self._stopped:
                if self._wanted is not None and self._there is not None:
                    pool = Pool(node=self._node, uid=self._uid)
                    writes = plan(pool, self._wanted, self._there.values())
                    if writes != Writes():
                        return writes
                self._news.wait()
        return None

    def _write(self, writes: Writes) -> None:
        if writes.apply and not self._uid:
            self._uid = self._uid_of_node()
            if self._uid:
                return  # They are planned anew, with it.
        for document in writes.apply:
            stored = self._api.apply(RESOURCE_SLICES, document, manager=MANAGER)
            self._know(name_of(stored), stored)
        for name in writes.delete:
            self._api.delete(RESOURCE_SLICES, name)
            self._know(name, None)

    def _uid_of_node(self) -> str:
        """Of the Node, which owns its node object; an agent may not read Nodes. Empty where the
        node object has no owner."""
        found = self._api.get(NODE_OBJECTS, self._node) or {}
        metadata = cast(Document, found.get("metadata") or {})
        owners = cast("list[Document]", metadata.get("ownerReferences") or [])
        return next((str(owner["uid"]) for owner in owners if owner.get("kind") == "Node"), "")

    def _know(self, name: str, item: Document | None) -> None:
        with self._news:
            there = self._there if self._there is not None else {}
            if item is None:
                there.pop(name, None)
            else:
                there[name] = item
            self._news.notify()

    def _wait(self, error: ApiError) -> None:
        kind = (error.status, error.reason)
        if kind != self._told:
            log.warning("ResourceSlices of %s: %s; trying again", self._node, error)
            self._told = kind
        delay = self._backoff.next(error.retry_after)
        with self._news:
            self._news.wait_for(lambda: self._stopped, delay)
