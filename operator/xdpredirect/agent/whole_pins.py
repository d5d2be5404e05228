"""Maps of protocol DevicePlugin, pinned for DPDK's `use_pinned_map`. Called by `agent.machine`.

The pin belongs to the user of the rule and nobody else may open it. Directories are root's, so that
nobody can put anything in its place.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress

from xdpredirect.agent.opened import opened_pin, remove_tree
from xdpredirect.agent.pins import Pins, unescape
from xdpredirect.agent.report import Finding
from xdpredirect.agent.sockets import SocketSlots
from xdpredirect.errors import KernelError
from xdpredirect.kernel.bpf import pin
from xdpredirect.kernel.maps import map_id
from xdpredirect.xsk.grants import Grant

_READ_WRITE = 0o600


class WholePins:
    """`findings` are about the maps that could not be pinned in the last `keep`."""

    def __init__(self, pins: Pins) -> None:
        self._pins, self._slots = pins, SocketSlots(pins)
        self.findings: tuple[Finding, ...] = ()

    def keep(self, grants: Collection[Grant]) -> None:
        """The maps of these grants are pinned on return, and no other."""
        wanted = {grant.interface: grant for grant in grants if grant.whole_map}
        plugin = self._pins.plugin
        for directory in tuple(plugin.iterdir()) if plugin.is_dir() else ():
            if unescape(directory.name) not in wanted:
                remove_tree(directory)
        self.findings = tuple(f for grant in wanted.values() for f in self._keep(grant))
        with suppress(OSError):
            plugin.rmdir()

    def _keep(self, grant: Grant) -> Iterator[Finding]:
        try:
            self._pin(grant)
        except (KernelError, OSError) as error:
            yield Finding(
                object=grant.redirect,
                reason="MapNotPinned",
                message=f"rule {grant.rule}: the map cannot be pinned for use_pinned_map: {error}; "
                "use_cni does without",
                interface=grant.interface,
                rule=grant.rule,
            )

    def _pin(self, grant: Grant) -> None:
        path = self._pins.whole_map(grant.interface)
        (user,) = grant.users
        fd = self._slots.whole(grant)
        try:
            if path.exists():
                with opened_pin(path) as there:
                    same = map_id(there) == map_id(fd)
                if same and path.stat().st_uid == user:
                    return
                path.unlink()
            path.parent.mkdir(parents=True, exist_ok=True)
            pin(fd, path)
            try:
                path.chmod(_READ_WRITE)
                os.chown(path, user, -1)
            except OSError:
                path.unlink()
                raise
        finally:
            os.close(fd)
