"""The plan: what to do so that the cluster is as the redirects want it. Pure and total.

Every prefix of a plan may be the last thing that this process does: the next one reads the cluster
again, and its plan leads to the same end. Nothing is planned where nothing differs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from xdpredirect.conditions import TYPES
from xdpredirect.controller.actions import (
    Action,
    AddFinalizer,
    ApplyDaemonSet,
    ApplyNodeObject,
    ApplyStatus,
    LabelNode,
    PostEvent,
    RemoveFinalizer,
)
from xdpredirect.controller.agents import LABEL, LABEL_VALUE
from xdpredirect.controller.due import Due
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observed import FINALIZER, Entry, Node, NodeObject, Redirect
from xdpredirect.controller.plain import children, text
from xdpredirect.controller.pods import pods_of
from xdpredirect.controller.render import render
from xdpredirect.controller.rollup import roll_up


def plan(fleet: Fleet, due: Due, now: float) -> tuple[Action, ...]:
    """Actions for the keys that are due; `now` is in seconds since 1970.

    An object is held before a node is told of it, and let go after the last node is done with it:
    what is not held yet is told by the next plan, when the API server has answered that it is.
    """
    names = (due.redirects | due.counters) & fleet.redirects.keys()
    redirects = [fleet.redirects[name] for name in sorted(names)]
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        *_agents(fleet),
        *(action for redirect in redirects for action in _hold(redirect)),
        *(action for name in sorted(due.nodes) for action in _node(fleet, name)),
        *(action for redirect in redirects for action in _tell(fleet, redirect, stamp)),
    )


def _agents(fleet: Fleet) -> Iterator[Action]:
    if fleet.agents.due and fleet.agents.wanted is not None:
        yield ApplyDaemonSet(document=fleet.agents.wanted)


def _hold(redirect: Redirect) -> Iterator[Action]:
    if not redirect.deleting and not redirect.held:
        yield AddFinalizer(
            redirect=redirect.name,
            resource_version=redirect.resource_version,
            finalizers=(*redirect.finalizers, FINALIZER),
        )


def _node(fleet: Fleet, name: str) -> Iterator[Action]:
    node, there = fleet.nodes.get(name), fleet.objects.get(name)
    # A node object without a Node is the garbage collector's.
    if node is None or (there is not None and _frozen(fleet, there.entries)):
        return
    rendered = render(fleet.tellable(name))
    rendered = replace(rendered, pods=pods_of(rendered.redirects, name, there, fleet.pods))
    if there is None:
        # An empty one, too, for a node that may still run what nobody tells it any more.
        due, revision = bool(rendered.redirects) or name in fleet.answers.unfinished, fleet.term
    else:
        due = not rendered.is_in(there) or there.owner != node.uid or fleet.asks_again(name)
        revision = there.revision + 1
    if due:
        yield ApplyNodeObject(node=node, rendered=rendered, there=there, revision=revision)
    yield from _label(fleet, node, bool(rendered.redirects), there)


def _label(fleet: Fleet, node: Node, selected: bool, there: NodeObject | None) -> Iterator[Action]:
    """A node that leaves keeps its agent until that has let go."""
    if fleet.agents.wanted is None:
        return
    wanted = selected or (there is not None and not there.let_go)
    if wanted != (node.labels.get(LABEL) == LABEL_VALUE):
        yield LabelNode(node=node, wanted=wanted)


def _frozen(fleet: Fleet, entries: Iterable[Entry]) -> bool:
    """Whether the node runs something that this version cannot read: which nodes that is for is
    not known, so it stays, and everything beside it."""
    known = (fleet.redirects.get(entry.name) for entry in entries)
    return any(r is not None and r.problems and not r.deleting for r in known)


def _tell(fleet: Fleet, redirect: Redirect, stamp: str) -> Iterator[Action]:
    holding = tuple(fleet.holding(redirect)) if redirect.deleting else ()
    if redirect.deleting and not holding:
        if redirect.held:
            yield RemoveFinalizer(
                redirect=redirect.name,
                resource_version=redirect.resource_version,
                finalizers=tuple(f for f in redirect.finalizers if f != FINALIZER),
            )
        return
    status = roll_up(redirect, fleet.tallies[redirect.name], holding, stamp)
    if _says(redirect.status, status):
        return
    before, after = _conditions(redirect.status), _conditions(status)
    yield ApplyStatus(
        redirect=redirect.name,
        uid=redirect.uid,
        resource_version=redirect.resource_version,
        status=status,
        urgent=before != after
        or redirect.status.get("observedGeneration") != status["observedGeneration"],
    )
    yield from _events(redirect, before, status)


def _says(there: Mapping[str, object], status: Mapping[str, object]) -> bool:
    """Whether it is said already. What other managers wrote beside it is theirs: no write of ours
    takes it away."""
    listed = {text(item, "type"): item for item in children(there, "conditions")}
    return all(
        all(listed.get(text(item, "type")) == item for item in children(status, name))
        if name == "conditions"
        else _holds(there.get(name), value)
        for name, value in status.items()
    )


def _holds(there: object, wanted: object) -> bool:
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        return all(there.get(name) == value for name, value in wanted.items())
    return there == wanted


def _conditions(status: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition of ours."""
    listed = [item for item in children(status, "conditions") if text(item, "type") in TYPES]
    return {text(item, "type"): (text(item, "status"), text(item, "reason")) for item in listed}


def _events(
    redirect: Redirect, before: Mapping[str, tuple[str, str]], status: Mapping[str, object]
) -> Iterator[PostEvent]:
    """What a person would want to have been told: it works, it fails, frames are at risk. One
    event for one reason, whichever conditions give it."""
    told: dict[str, PostEvent] = {}
    for item in children(status, "conditions"):
        kind, state, reason = text(item, "type"), text(item, "status"), text(item, "reason")
        endangered = kind == "Degraded" and state == "True"
        settled = kind == "Ready" and state != "Unknown"
        if before.get(kind) != (state, reason) and (settled or endangered):
            told[reason] = PostEvent(
                redirect=redirect.name,
                uid=redirect.uid,
                warning=endangered or state == "False",
                reason=reason,
                message=text(item, "message"),
            )
    yield from told.values()
