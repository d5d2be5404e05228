"""What an agent must know to act on a redirect, by name. Pure.

The operator lists `features_of` every redirect in a node object; an agent that lacks one of them
keeps its datapath and says so. Read from the plain JSON, not from parsed objects: a field that this
version does not know has a name too, and a newer agent may know it.
"""

from collections.abc import Iterable, Iterator, Mapping

from xdpredirect.api.action import KeyBy, SpreadBy
from xdpredirect.api.clients import ClientType, SocketProtocol
from xdpredirect.api.decode import SPEC_FIELDS
from xdpredirect.api.decode_action import READERS
from xdpredirect.api.decode_match import MATCH_FIELDS

# Decided before a node is asked.
_NOT_FOR_NODES = "nodeSelector"
_TABLES = ("deviceTable", "cpuTable")
_SPREADS = ("deviceGroup", "cpus")

FEATURES: frozenset[str] = frozenset(
    {
        *(f"spec/{name}" for name in SPEC_FIELDS if name != _NOT_FOR_NODES),
        *(f"match/{name}" for name in MATCH_FIELDS),
        *(f"action/{name}" for name in READERS),
        *(f"key/{word.value}" for word in KeyBy),
        *(f"spread/{word.value}" for word in SpreadBy),
        *(f"client/{word.value}" for word in ClientType),
        *(f"protocol/{word.value}" for word in SocketProtocol),
    }
)
"""What this version knows."""


def features_of(spec: Mapping[str, object]) -> frozenset[str]:
    """What an agent must know to act on `spec`: that of an XdpRedirect, or its copy for a node.

    Only looks; what does not fit the schema has no features.
    """
    return frozenset(_features(spec))


def address_sets_of(spec: Mapping[str, object]) -> frozenset[str]:
    """Names of the XdpAddressSets that the rules of `spec` use."""
    found: list[object] = []
    for rule in _objects(spec.get("rules")):
        match, action = _object(rule.get("match")), _object(rule.get("action"))
        for field in ("sourceAddressSets", "destinationAddressSets"):
            found.extend(item.get("name") for item in _objects(match.get(field)))
        for member in _TABLES:
            found.append(_object(_object(action.get(member)).get("addressSet")).get("name"))
    return frozenset(name for name in found if isinstance(name, str))


def _features(spec: Mapping[str, object]) -> Iterator[str]:
    yield from (f"spec/{name}" for name in spec if name != _NOT_FOR_NODES)
    for rule in _objects(spec.get("rules")):
        match, action = _object(rule.get("match")), _object(rule.get("action"))
        yield from (f"match/{name}" for name in match)
        yield f"action/{action.get('type')}"
        for member in _TABLES:
            yield from _words("key", _object(action.get(member)).get("keyBy"))
        for member in _SPREADS:
            if member in action:
                chosen = _object(action[member]).get("spreadBy", SpreadBy.FLOW.value)
                yield from _words("spread", chosen)
        sockets = _object(action.get("sockets"))
        yield from _words("protocol", sockets.get("protocol"))
        for client in _objects(sockets.get("clients")):
            yield from _words("client", client.get("type"))


def _words(family: str, value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{family}/{value}"


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> Iterable[Mapping[str, object]]:
    return [_object(item) for item in value] if isinstance(value, list) else ()
