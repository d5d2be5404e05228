"""Reads who may take AF_XDP sockets: `spec.rules[].action.sockets.clients`.

Called by `decode_action`, and by the operator, which looks for pods in objects that it otherwise
hands on as they are.
"""

from collections.abc import Mapping

from xdpredirect.api.clients import Clients, ClientType, PodClients
from xdpredirect.api.decode_labels import decode_selector
from xdpredirect.api.fields import Fields, each, one_of, problem, text


def decode_clients(value: object, path: str) -> Clients:
    """The list of clients. Raises InvalidInput with one line per problem."""
    found = each(value, path, _client)
    return Clients(
        users=tuple(dict.fromkeys(user for item in found for user in item.users)),
        pods=tuple(dict.fromkeys(pods for item in found for pods in item.pods)),
    )


def pod_clients(spec: Mapping[str, object]) -> tuple[tuple[str, PodClients], ...]:
    """Names of rules and the pods that may take their sockets, in the order of `spec`, which is
    that of an XdpRedirect. Only looks at clients that say to be of type Pods; raises InvalidInput
    for one of those that this version cannot read."""
    found: dict[tuple[str, PodClients], None] = {}
    for index, rule in enumerate(_list(spec.get("rules"))):
        sockets = _object(_object(_object(rule).get("action")).get("sockets"))
        path = f"spec.rules[{index}].action.sockets.clients"
        for number, item in enumerate(_list(sockets.get("clients"))):
            if _object(item).get("type") == ClientType.PODS.value:
                read = _client(item, f"{path}[{number}]")
                found |= dict.fromkeys((str(_object(rule).get("name")), p) for p in read.pods)
    return tuple(found)


def _client(value: object, path: str) -> Clients:
    f = Fields(value, path, ("type", "pods", "users"))
    kind = f.required("type", one_of(ClientType))
    for owner, member in _MEMBERS.items():
        if (owner is kind) != f.has(member):
            words = f"type {owner} and {member} belong together; give both, or neither"
            raise problem(path, words)
    if kind is ClientType.PODS:
        return Clients(pods=(f.required("pods", _pods),))
    return Clients(users=f.required("users", lambda v, p: each(v, p, text)))


def _pods(value: object, path: str) -> PodClients:
    f = Fields(value, path, ("namespace", "podSelector"))
    return PodClients(
        namespace=f.required("namespace", text), selector=f.required("podSelector", decode_selector)
    )


_MEMBERS = {ClientType.PODS: "pods", ClientType.USERS: "users"}


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
