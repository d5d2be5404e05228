"""ResourceClaims of this node's queues as a part of the agent: the driver that kubelet calls, and
the slices that the scheduler reads.

Made by `agent.broker` where kubelet's directory of plugins is given; it tells after every pass what
is there to be claimed.
"""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from xdpredirect import __version__
from xdpredirect.cluster.api import Api
from xdpredirect.dra.claims import narrowed
from xdpredirect.dra.devices import DRIVER, Device
from xdpredirect.dra.driver import Driver
from xdpredirect.dra.publisher import Publisher
from xdpredirect.dra.server import Server
from xdpredirect.dra.store import ClaimStore
from xdpredirect.settings import Settings
from xdpredirect.xsk.grants import Grant

MEMORY = Path("claims.json")
"""In the state directory."""
log = logging.getLogger("xdpredirect.agent")


class Claims:
    """At work from the first `narrow` to `close`. `changed` is called, by another thread, when a
    claim came or went. Raises InvalidInput when the API server's address or credentials are not
    there."""

    def __init__(self, settings: Settings, plugins_dir: Path, changed: Callable[[], None]) -> None:
        self._endpoint = plugins_dir / f"{DRIVER}.sock"
        api = Api.connect(settings.kubeconfig, f"xdpredirect-agent/{__version__}")
        memory = settings.state_dir / MEMORY
        store = ClaimStore(memory, settings.cdi_dir, settings.sockets_dir)
        self._driver = Driver(settings.node, self._endpoint, api, store, changed)
        self._publisher = Publisher(api, settings.node)
        self._server: Server | None = None
        self._problem = ""

    def narrow(self, grants: Collection[Grant], devices: Collection[Device]) -> tuple[Grant, ...]:
        """`devices` are what can be claimed from now on; the grants as claims leave them."""
        claims = self._driver.update(devices, grants)
        self._serve()
        self._publisher.want(devices)
        return narrowed(grants, claims)

    def ended(self) -> str:
        """Which of its threads have ended by a defect, by name."""
        if self._server is None:
            return ""
        threads = (self._publisher, self._publisher.reflector)
        started = [thread for thread in threads if thread.ident is not None]
        return ", ".join(thread.name for thread in started if not thread.is_alive())

    def close(self) -> None:
        """Claims stay prepared, and slices published, for the next agent."""
        self._driver.stop()
        if self._server is not None:
            self._server.close()
            self._publisher.stop()

    def _serve(self) -> None:
        """Where that fails, it is tried again with the next pass."""
        if self._server is not None and self._server.is_alive():
            return
        first = self._server is None
        try:
            self._server = Server(self._endpoint, self._driver.methods)
        except OSError as error:
            words = f"{self._endpoint}: {error.strerror or error}"
            if words != self._problem:
                log.error("kubelet cannot find the driver of claims: %s", words)
            self._problem = words
            return
        self._problem = ""
        if first:
            self._publisher.start()
