"""What is known of AF_XDP sockets in a process that hands out none: what the agent last wrote.

Used by `agent.machine` for the commands; the agent itself has a `agent.broker`.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from xdpredirect.agent import status
from xdpredirect.agent.lock import LOCK_FILE, holder
from xdpredirect.agent.report import Report, SocketReport
from xdpredirect.agent.socket_report import problem_in
from xdpredirect.agent.store import Store
from xdpredirect.dra.devices import Device
from xdpredirect.settings import Settings
from xdpredirect.xsk.grants import Grant
from xdpredirect.xsk.holding import Holding

_NOTHING_YET = Report(objects=(), interfaces=())
_NO_AGENT = "no agent is running; `xdpredirect agent` hands them out."


class Handed(Protocol):
    """Who hands out sockets, or knows of who does."""

    @property
    def problem(self) -> str:
        """Why nobody can take a socket; empty when somebody can."""
        ...

    def update(self, grants: Collection[Grant], devices: Collection[Device]) -> None:
        """These are the grants from now on, and the queues that pods may claim."""
        ...

    def asked(self) -> Mapping[str, str]:
        """Pods that wait for the whole map of a device that they have: UID by interface."""
        ...

    def counts(self) -> tuple[Holding, ...]:
        """Every socket, also those that ended since the last call, with what it has lost."""
        ...

    def sockets(self) -> Mapping[str, tuple[SocketReport, ...]]:
        """What is handed out, by object."""
        ...


class ByAgent:
    """Reads status.json, as long as an agent runs that writes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def problem(self) -> str:
        """Why nobody can take a socket."""
        report = self._report()
        return _NO_AGENT if report is None else problem_in(report)

    def update(self, grants: Collection[Grant], devices: Collection[Device]) -> None:
        """Somebody else's business."""

    def asked(self) -> Mapping[str, str]:
        """The agent knows who asks it."""
        return {}

    def counts(self) -> tuple[Holding, ...]:
        """The agent counts them itself."""
        return ()

    def sockets(self) -> Mapping[str, tuple[SocketReport, ...]]:
        """As of the agent's last pass."""
        report = self._report()
        return {item.name: item.sockets for item in report.objects} if report else {}

    def _report(self) -> Report | None:
        owner = holder(self._settings.state_dir)
        if owner is None or owner.files is None:
            return None
        store = Store(self._settings.state_dir)
        started = self._settings.state_dir / LOCK_FILE
        try:
            if store.status_path.stat().st_mtime_ns < started.stat().st_mtime_ns:
                return _NOTHING_YET  # Of the agent before this one.
            return status.report_from_dict(store.read_status().get("report"))
        except (FileNotFoundError, ValueError):
            return _NOTHING_YET
