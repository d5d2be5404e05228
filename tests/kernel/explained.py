"""Holds what the product says about frames that were lost for real: reason and hint.

Called by test_losses_*.py with the keys that the drop monitor counted. Every key goes through
`agent.losses` twice, with the observation of the host under test: as if the program were ours, and
as one that nobody of us knows.
"""

import re
from collections.abc import Iterable

from tests.kernel.conformance import Why
from tests.kernel.scene import Scene
from xdpredirect.agent.losses import Attributed, attribute, attribute_counter
from xdpredirect.agent.losses import Scene as Known
from xdpredirect.agent.meanings import (
    InterfaceMeaning,
    MapMeaning,
    Meanings,
    RuleMeaning,
    Section,
)
from xdpredirect.datapath.abi import Event, LossKey
from xdpredirect.errors import errno_name
from xdpredirect.host import Host
from xdpredirect.kernel.host import observe_host
from xdpredirect.kernel.maps import type_of_map
from xdpredirect.reasons import Own

OBJECT, RULE = "o", "r"


def explained(scene: Scene, keys: Iterable[LossKey], why: Why) -> None:
    """The row's events, and both sides' reasons with hints that name a device and what to do."""
    keys = list(keys)
    assert _seen(keys) == why.seen
    with scene.dut.enter():
        host = observe_host()
    ours = _attributed(keys, Known(_ours(scene, host, why), host))
    others = _attributed(keys, Known(Meanings(), host, _types(scene)))
    assert tuple(found.cause.reason for found in ours) == why.ours
    assert tuple(found.cause.reason for found in others) == why.others
    assert all(found.cause.foreign for found in others)
    for found in (*ours, *others):
        _useful(found)
    hints = [found.hint for found in (*ours, *others)]
    assert not hints or any(why.says in hint for hint in hints), hints


def counted_by_rule(scene: Scene, reason: str) -> None:
    """What a rule of ours says of frames that only its own counter of misses shows."""
    if not reason:
        return
    with scene.dut.enter():
        host = observe_host()
    broadcast = reason == "BroadcastWithoutMember"
    known = Known(_ours(scene, host, Why("", (reason,), "", broadcast=broadcast)), host)
    rule = known.meanings.rule("p1", (OBJECT, RULE))
    assert rule is not None
    found = attribute_counter("p1", rule, Own.MISS, known)
    assert (found.cause.reason, found.cause.object, found.cause.rule) == (reason, OBJECT, RULE)
    _useful(found)


def _attributed(keys: Iterable[LossKey], known: Known) -> list[Attributed]:
    found = (attribute(key, known) for key in keys)
    return sorted(item for item in found if item is not None)


def _seen(keys: Iterable[LossKey]) -> str:
    words = {f"{_event(key)} {errno_name(key.error) if key.error else ''}".strip() for key in keys}
    return ", ".join(sorted(words))


def _event(key: LossKey) -> str:
    event = Event(key.event)
    name = "cpumap_kthread" if event is Event.CPUMAP_PROGRAM else event.name.lower()
    return f"xdp_{name}"


def _useful(found: Attributed) -> None:
    """The hint names the device, CPU or socket, and a command or setting; nothing was cut off."""
    cause, hint = found
    named = [name for name in (cause.target, cause.interface) if name]
    assert any(re.search(rf"\b{re.escape(name)}\b", hint) for name in named), (named, hint)
    assert re.search(r"`[^`]+`", hint), hint
    assert "…" not in hint


def _types(scene: Scene) -> dict[int, int]:
    return {number: kind for number in scene.maps if (kind := type_of_map(number)) is not None}


def _ours(scene: Scene, host: Host, why: Why) -> Meanings:
    """As if one rule of ours owned the program and the maps of the scene."""
    at, links = scene.ingress.ifindex, tuple(link.ifindex for link in host.links)
    rule = RuleMeaning(
        object=OBJECT,
        rule=RULE,
        on_miss="Drop",
        devices=links,
        tx=why.tx,
        broadcast=why.broadcast,
    )
    section = Section(first=0, count=1 << 16, object=OBJECT, rule=RULE)
    maps = {
        number: MapMeaning(id=number, interface="p1", name="m", type=kind, sections=(section,))
        for number, kind in _types(scene).items()
    }
    link = host.link(at)
    assert link is not None
    egress = links if why.egress else ()
    there = InterfaceMeaning(
        name="p1", ifindex=at, mode=link.xdp_mode, rules=(rule,), egress=egress
    )
    return Meanings(maps=maps, programs={scene.program: "p1"}, interfaces={at: there})
