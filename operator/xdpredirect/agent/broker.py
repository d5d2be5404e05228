"""The broker of AF_XDP sockets as a part of the agent: at work while something can be handed out.

Made by `agent.loop`; `agent.machine` tells it after every pass who may take what.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from xdpredirect.agent.pins import Pins
from xdpredirect.agent.report import SocketReport
from xdpredirect.agent.socket_report import by_object
from xdpredirect.agent.sockets import SocketSlots
from xdpredirect.agent.wake import Wake
from xdpredirect.dra.devices import Device
from xdpredirect.settings import Settings
from xdpredirect.xsk.grants import Grant
from xdpredirect.xsk.holding import Holding

if TYPE_CHECKING:
    from xdpredirect.agent.claims import Claims
    from xdpredirect.xsk.plugin_server import PluginServer
    from xdpredirect.xsk.server import Server

MEMORY = Path("sockets.json")
"""In the state directory: what the next agent must know of sockets that this one has handed out."""
log = logging.getLogger("xdpredirect.agent")


class Broker:
    """Use it in a `with`; at its end clients keep their sockets.

    `problem` says why nobody can take a socket, and is empty when there is no reason. The agent
    goes on with everything else, and tries again with the next pass.
    """

    def __init__(self, settings: Settings) -> None:
        self._directory, self._memory = settings.sockets_dir, settings.state_dir / MEMORY
        self._slots = SocketSlots(Pins(settings.bpffs))
        self._server: Server | None = None
        self._plugin: PluginServer | None = None
        self._ended: tuple[Holding, ...] = ()
        self._wake = Wake()
        self._claims = _claims(settings, self._wake.set)
        self.problem = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._claims is not None:
            self._claims.close()
        self._stop()
        self._stop_plugin()
        self._wake.__exit__()

    def fileno(self) -> int:
        """Readable when something was taken or given back."""
        return self._wake.fileno()

    def drain(self) -> bool:
        """Take the news; whether there was any."""
        return self._wake.drain()

    def ended(self) -> str:
        """Which threads have ended that nobody starts again, by name."""
        return self._claims.ended() if self._claims is not None else ""

    def update(self, grants: Collection[Grant], devices: Collection[Device] = ()) -> None:
        """These are the grants from now on: what they, or claims of `devices`, do not allow has
        ended on return."""
        if self._claims is not None:
            grants = self._claims.narrow(grants, devices)
        try:
            self._update(grants)
        except OSError as error:
            words = f"{error.filename or self._directory}: {error.strerror or error}"
            if words != self.problem:
                log.error("AF_XDP sockets cannot be handed out: %s", words)
            self.problem = words
        else:
            self.problem = ""

    def asked(self) -> Mapping[str, str]:
        """Pods that wait for the whole map of a device that they have: UID by interface."""
        return self._plugin.asked() if self._plugin else {}

    def counts(self) -> tuple[Holding, ...]:
        """Every socket, also those that ended since the last call, with what it has lost."""
        ended, self._ended = self._ended, ()
        return (*ended, *(self._server.counts() if self._server else ()))

    def sockets(self) -> Mapping[str, tuple[SocketReport, ...]]:
        """What is handed out, and what is not given back yet, by object."""
        return by_object(self._server.report()) if self._server else {}

    def _update(self, grants: Collection[Grant]) -> None:
        # Both, also when the first cannot.
        try:
            self._update_native([grant for grant in grants if not grant.whole_map])
        finally:
            self._update_plugin([grant for grant in grants if grant.whole_map])

    def _update_plugin(self, grants: Collection[Grant]) -> None:
        if self._plugin is not None and not self._plugin.is_alive():
            log.error("the server of the device plugin's protocol has ended by a defect")
            self._stop_plugin()
        if self._plugin is not None:
            self._plugin.update(grants)
            if not grants:
                self._stop_plugin()
        elif grants:
            from xdpredirect.xsk import sockets  # noqa: PLC0415 - as below
            from xdpredirect.xsk.plugin_server import PluginServer  # noqa: PLC0415

            # It makes none here. But in a cluster an agent that cannot is one that nobody reaches.
            sockets.probe()
            self._plugin = PluginServer(self._directory, self._slots, grants, self._wake.set)

    def _update_native(self, grants: Collection[Grant]) -> None:
        if self._server is not None and not self._server.is_alive():
            log.error("the broker of AF_XDP sockets has ended by a defect; a new one takes over")
            self._stop()
        if self._server is not None:
            self._server.update(grants)
            if not grants and not self._server.report():
                self._stop()
        elif grants:
            from xdpredirect.xsk import sockets  # noqa: PLC0415 - most need it not
            from xdpredirect.xsk.server import Server  # noqa: PLC0415

            sockets.probe()
            self._server = Server(
                self._directory, self._slots, self._memory, grants, self._wake.set
            )

    def _stop_plugin(self) -> None:
        if self._plugin is not None:
            self._plugin.close()
            self._plugin = None

    def _stop(self) -> None:
        if self._server is not None:
            self._ended = self._server.counts()
            self._server.close()
            self._server = None


def _claims(settings: Settings, changed: Callable[[], None]) -> "Claims | None":
    if settings.plugins_dir is None:
        return None
    from xdpredirect.agent.claims import Claims  # noqa: PLC0415 - HTTP/2; most need it not

    return Claims(settings, settings.plugins_dir, changed)
