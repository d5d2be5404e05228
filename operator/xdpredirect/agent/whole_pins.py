"""Maps of protocol DevicePlugin, pinned for DPDK's `use_pinned_map`. Called by `agent.machine`.

The pin belongs to the user of the rule and nobody else may open it. Directories are root's, so that
nobody can put anything in its place. Maps for pods are not pinned: a file knows users, and those of
all pods have the same numbers.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from xdpredirect.agent.opened import opened_pin, remove_tree
from xdpredirect.agent.pins import Pins, unescape
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.agent.sockets import SocketSlots
from xdpredirect.errors import KernelError, errno_name
from xdpredirect.kernel.bpf import pin
from xdpredirect.kernel.maps import map_id
from xdpredirect.xsk.grants import Grant

_READ_WRITE = 0o600


class WholePins:
    """The pins below one bpffs directory."""

    def __init__(self, pins: Pins) -> None:
        self._pins, self._slots = pins, SocketSlots(pins)
        self._problems: dict[str, str] = {}

    def keep(self, grants: Collection[Grant]) -> None:
        """The maps of these grants are pinned on return as far as they can be, and no other."""
        wanted = {grant.interface: grant for grant in grants if grant.whole_map and grant.users}
        plugin = self._pins.plugin
        for directory in tuple(plugin.iterdir()) if plugin.is_dir() else ():
            if unescape(directory.name) not in wanted:
                remove_tree(directory)
        self._problems.clear()
        for grant in wanted.values():
            try:
                self._pin(grant)
            except (KernelError, OSError) as error:
                number = errno_name(error.errno or 0)
                self._problems[grant.interface] = f"cannot be made: {number}"
        with suppress(OSError):
            plugin.rmdir()

    def findings(self, grants: Collection[Grant]) -> tuple[Finding, ...]:
        """About the maps that are not pinned as they should be; changes nothing."""
        return tuple(
            Finding(
                object=grant.redirect,
                reason="MapNotPinned",
                message=f"rule {grant.rule}: the pin for use_pinned_map "
                f"{self._problems.get(grant.interface, 'is not there')}; use_cni does without",
                severity=Severity.INFO,
                interface=grant.interface,
                rule=grant.rule,
            )
            for grant in grants
            if grant.whole_map and grant.users and not self._is_pinned(grant)
        )

    def _is_pinned(self, grant: Grant) -> bool:
        try:
            with self._whole(grant) as fd:
                return self._is_there(grant, fd)
        except (KernelError, OSError):
            return False

    def _pin(self, grant: Grant) -> None:
        path = self._pins.whole_map(grant.interface)
        with self._whole(grant) as fd:
            if self._is_there(grant, fd):
                return
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            pin(fd, path)
        try:
            path.chmod(_READ_WRITE)
            os.chown(path, next(iter(grant.users)), -1)
        except OSError:
            path.unlink()
            raise

    def _is_there(self, grant: Grant, fd: int) -> bool:
        """Whether the pin is the user's and leads to the map that is open as `fd`."""
        path = self._pins.whole_map(grant.interface)
        if not path.exists() or path.stat().st_uid not in grant.users:
            return False
        with opened_pin(path) as there:
            return map_id(there) == map_id(fd)

    @contextmanager
    def _whole(self, grant: Grant) -> Iterator[int]:
        fd = self._slots.whole(grant)
        try:
            yield fd
        finally:
            os.close(fd)
