"""What one pass of the agent did and found, and what it could not get rid of. Pure.

Made by `agent.machine`; read by the loop, the commands and whoever writes the status of the node.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from xdpredirect.agent.observed import Observed
from xdpredirect.agent.report import Report

Document = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lingering:
    """An object that nobody wants any more and that still runs on `interfaces`. `uid` is empty and
    `generation` 0 where nothing is recorded of it."""

    name: str
    uid: str
    generation: int
    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pass did, or would do, and how things stand after it. `documents` are the wanted
    objects that it was about, `problems` what was wrong with their files. `defects` are those of
    the `failures` that are the agent's own (`readiness.own_fault`)."""

    report: Report
    actions: tuple[object, ...]
    failures: tuple[str, ...]
    documents: tuple[Document, ...] = ()
    problems: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    lingering: tuple[Lingering, ...] = ()


def lingering(
    applied: Iterable[Document], wanted: Iterable[str], seen: Observed
) -> tuple[Lingering, ...]:
    """Objects whose rules are on an attached interface though their name is not in `wanted`."""
    names = frozenset(wanted)
    known = {_name(document): document for document in applied if _is_redirect(document)}
    where: dict[str, set[str]] = {}
    for interface in seen.interfaces.values():
        for owner, _ in interface.slots.values() if interface.attached_to else ():
            if owner not in names:
                where.setdefault(owner, set()).add(interface.name)
    return tuple(
        Lingering(
            name=name,
            uid=str(_metadata(known.get(name)).get("uid", "")),
            generation=cast(int, _metadata(known.get(name)).get("generation", 0)),
            interfaces=tuple(sorted(interfaces)),
        )
        for name, interfaces in sorted(where.items())
    )


def _is_redirect(document: Document) -> bool:
    return document["kind"] == "XdpRedirect"


def _metadata(document: Document | None) -> Mapping[str, object]:
    return cast(Mapping[str, object], document["metadata"]) if document else {}


def _name(document: Document) -> str:
    return str(_metadata(document)["name"])
