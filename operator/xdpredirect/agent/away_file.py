"""What devices are like that may be moved to another network namespace: <state-dir>/devices.json.

Nothing can be asked about a device that is elsewhere. Written by `agent.machine` while it is here,
as far as a plan for it depends on it; what changes all the time is not in it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdpredirect.agent.away import recall, to_remember
from xdpredirect.agent.desired import Desired
from xdpredirect.agent.effective import Effective
from xdpredirect.agent.files import read_json, remove_file, write_atomically
from xdpredirect.agent.observed import Observed
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

_NAME = "devices.json"


class AwayFile:
    """The file in one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / _NAME

    def recall(self, host: Host, seen: Observed, chosen: Effective) -> tuple[Host, Observed]:
        """See `away.recall`."""
        if not any(there.away for there in seen.interfaces.values()):
            return host, seen
        return recall(host, seen, chosen, _links(self._read()))

    def keep(self, desired: Desired, seen: Observed) -> None:
        """Remember what may go away. Raises OSError."""
        before = self._read()
        kept = to_remember(desired, seen, _links(before))
        after = {name: _plain(link) for name, link in kept.items()}
        if not after:
            remove_file(self._path)
        elif after != before:
            write_atomically(self._path, json.dumps(after).encode())

    def _read(self) -> Mapping[str, Any]:
        found = read_json(self._path)
        return found if isinstance(found, dict) else {}


def _plain(link: Link) -> dict[str, object]:
    return {
        "name": link.name,
        "altNames": list(link.alt_names),
        "kind": link.kind,
        "driver": link.driver,
        "pciAddress": link.pci_address,
        "mac": link.mac.hex(),
        "permanentMac": link.permanent_mac.hex(),
        "features": None if link.features is None else int(link.features),
        "mode": link.xdp_mode.value,
        "queues": link.rx_channels,
    }


def _links(found: Mapping[str, Any]) -> dict[str, Link]:
    """What cannot be read is not remembered."""
    links = {}
    for name, value in found.items():
        try:
            links[name] = _link(value)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return links


def _link(value: Mapping[str, Any]) -> Link:
    features = value["features"]
    return Link(
        ifindex=0,
        name=str(value["name"]),
        alt_names=tuple(str(name) for name in value["altNames"]),
        kind=str(value["kind"]),
        driver=str(value["driver"]),
        pci_address=str(value["pciAddress"]),
        mac=bytes.fromhex(value["mac"]),
        permanent_mac=bytes.fromhex(value["permanentMac"]),
        features=None if features is None else XdpFeatures(features),
        xdp_mode=XdpMode(value["mode"]),
        rx_channels=int(value["queues"]),
    )
