"""The ledger as JSON: <state-dir>/losses.json. Called by `agent.monitor`.

Replaced atomically, so that counts and totals always belong together; a process that dies before
the rename leaves the old pair, and the next one adds the difference again.
"""

import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from xdpredirect.agent.files import read_json, write_atomically
from xdpredirect.agent.ledger import CounterKey, Ledger, Total
from xdpredirect.agent.losses import Cause
from xdpredirect.agent.meanings import InterfaceMeaning, MapMeaning, Meanings
from xdpredirect.agent.plain import from_plain, to_plain
from xdpredirect.datapath.abi import LossKey

VERSION = 1


def read_ledger(path: Path) -> Ledger:
    """The stored ledger; an empty one when there is none, or none of this version."""
    found = read_json(path)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return Ledger()
    try:
        return _decode(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        # Damaged by hand: totals start again; nothing else depends on them.
        return Ledger()


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Replace the stored ledger. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    write_atomically(path, json.dumps(_encode(ledger)).encode())


def _encode(ledger: Ledger) -> dict[str, object]:
    meanings = ledger.meanings
    return {
        "version": VERSION,
        "monitor": ledger.monitor,
        "time": ledger.time,
        "seen": [[*tuple(key), count] for key, count in ledger.seen.items()],
        "counters": [[*key, count] for key, count in ledger.counters.items()],
        "totals": [[*cause, *astuple(total)] for cause, total in ledger.totals.items()],
        "owed": dict(ledger.owed),
        "sockets": dict(ledger.sockets),
        "maps": [to_plain(found) for found in meanings.maps.values()],
        "programs": list(meanings.programs.items()),
        "interfaces": [to_plain(found) for found in meanings.interfaces.values()],
        "links": list(meanings.links.items()),
    }


def _decode(found: Mapping[str, Any]) -> Ledger:
    maps = [from_plain(MapMeaning, value, "maps") for value in found["maps"]]
    there = [from_plain(InterfaceMeaning, value, "interfaces") for value in found["interfaces"]]
    return Ledger(
        monitor=str(found["monitor"]),
        time=float(found["time"]),
        seen={LossKey(*key): count for *key, count in found["seen"]},
        counters={CounterKey(*key): count for *key, count in found["counters"]},
        totals={Cause(*row[:7]): Total(*row[7:]) for row in found["totals"]},
        owed={str(name): int(count) for name, count in found["owed"].items()},
        # Not there in files of agents that handed out none.
        sockets={str(key): tuple(row) for key, row in found.get("sockets", {}).items()},
        meanings=Meanings(
            maps={item.id: item for item in maps if isinstance(item, MapMeaning)},
            programs={int(number): str(name) for number, name in found["programs"]},
            interfaces={i.ifindex: i for i in there if isinstance(i, InterfaceMeaning)},
            links={int(number): str(name) for number, name in found["links"]},
        ),
    )
