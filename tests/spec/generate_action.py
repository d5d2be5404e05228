"""Random actions, as they are written in an object, that a validator accepts.

Called by `generate`. Devices are those of `generate_match.INTERFACES` and of `DEVICES`.
"""

from collections.abc import Callable
from random import Random

from tests.spec.generate_match import (
    GROUP_SET,
    GROUPS,
    INTERFACES,
    MACS,
    Json,
    network,
    number_list,
    some,
)

DEVICES = ("uplink", "scrub0", "scrub1")
VERDICTS, ON_MISS = ("Pass", "Drop", "TX"), ("Pass", "Drop", "TX", "Abort", "Continue")
_GROUP_SPREADS = ("Flow", "InnerFlow", "SourceIP", "DestinationIP")
_NUMBER_KEYS = {"VLAN": 4094, "VNI": 0xFFFFFF, "TEID": 0xFFFFFFFF, "DSCP": 63, "RxQueue": 3}
_KEYS = (*_NUMBER_KEYS, "IngressInterface", "SourceIP", "DestinationIP")
_MAC_KEYS = ("SourceMAC", "DestinationMAC")


def random_action(rng: Random) -> Json:
    """An action of any type with its member and, for redirects, perhaps onMiss."""
    kind = rng.choice(tuple(_MEMBERS))
    action: Json = {"type": kind}
    member = _MEMBERS[kind]
    if member is not None and (kind != "Route" or rng.random() < 0.5):
        action[member[0]] = member[1](rng)
    if kind not in VERDICTS and rng.random() < 0.4:
        action["onMiss"] = rng.choice(ON_MISS)
    return action


def random_rewrite(rng: Random) -> Json:
    """MACs, the outer VLAN tag, or both."""
    macs: Json = {}
    if rng.random() < 0.3:
        macs["swapMACs"] = True
    else:
        for name in some(rng, ("destinationMAC", "sourceMAC"), 2) if rng.random() < 0.7 else ():
            macs[name] = rng.choice(MACS)
    return macs if macs and rng.random() < 0.5 else {**macs, "vlan": _vlan(rng)}


def _vlan(rng: Random) -> Json:
    operation = rng.choice(("Push", "Pop", "Replace"))
    return {"operation": operation} | ({} if operation == "Pop" else {"id": rng.randint(0, 4094)})


def _device(rng: Random) -> Json:
    return {"name": rng.choice(DEVICES + INTERFACES)}


def _tx(rng: Random) -> Json:
    return {"rewrite": random_rewrite(rng)} if rng.random() < 0.6 else {}


def _group(rng: Random) -> Json:
    members = [
        {"name": name} | ({"weight": rng.choice((1, 2, 256))} if rng.random() < 0.4 else {})
        for name in some(rng, DEVICES + INTERFACES, 7)
    ]
    group: Json = {"members": members}
    return group | ({"spreadBy": rng.choice(_GROUP_SPREADS)} if rng.random() < 0.6 else {})


def _keys(rng: Random, key_by: str) -> list[str]:
    """Different keys of that kind, also after parsing."""
    if key_by in _NUMBER_KEYS:
        highest = _NUMBER_KEYS[key_by]
        return [str(n) for n in some(rng, range(highest + 1), rng.choice((3, 3, 3, 40)))]
    if key_by == "IngressInterface":
        return some(rng, INTERFACES, 4)
    if key_by in _MAC_KEYS:
        return some(rng, MACS, 4)
    return sorted({network(rng, rng.choice(("IPv4", "IPv6"))) for _ in range(rng.randint(1, 5))})


def _table(rng: Random, target: str, make: Callable[[Random], object]) -> Json:
    key_by = rng.choice(_KEYS + _MAC_KEYS)
    table: Json = {"keyBy": key_by}
    if key_by.endswith("IP") and rng.random() < 0.5:
        table["addressSet"] = {"name": GROUP_SET}
        keys = some(rng, GROUPS)
    else:
        keys = _keys(rng, key_by)
    return {**table, "entries": [{"key": key, target: make(rng)} for key in keys]}


def _broadcast(rng: Random) -> Json:
    devices = [{"name": name} for name in some(rng, DEVICES + INTERFACES, 7)]
    ingress = {"ingressDevice": rng.choice(("Exclude", "Include"))} if rng.random() < 0.5 else {}
    return {"devices": devices, **ingress}


def _cpus(rng: Random) -> Json:
    cpus: Json = {"set": number_list(rng, 7)} if rng.random() < 0.6 else {"auto": _auto(rng)}
    if rng.random() < 0.3:
        cpus["queueSize"] = rng.choice((1, 192, 2048, 16384))
    if rng.random() < 0.6:
        cpus["spreadBy"] = rng.choice((*_GROUP_SPREADS, "RxQueue", "RoundRobin"))
    if rng.random() < 0.3:
        kind = rng.choice(("Pass", "Drop", "Device"))
        cpus["then"] = {"type": kind} | ({"device": _device(rng)} if kind == "Device" else {})
    return cpus


def _auto(rng: Random) -> Json:
    fields: dict[str, Callable[[], object]] = {
        "count": lambda: rng.choice((1, 2, 1024)),
        "avoid": lambda: some(rng, ("IRQ", "Isolated", "Siblings", "Exclusive"), 4),
        "numa": lambda: rng.choice(("Ingress", "Any")),
    }
    return {name: fields[name]() for name in some(rng, tuple(fields))}


def _sockets(rng: Random) -> Json:
    """Granted queues; whoever could take them is no matter of frames."""
    users = some(rng, ("root", "65534", "0", "4294967294", "_capture-2"), 5)
    clients: list[Json] = [{"type": "Users", "users": users}]
    sockets: Json = {"queues": number_list(rng, 999), "clients": clients}
    if rng.random() < 0.3:
        labels = {"matchLabels": {"app": rng.choice(("ids", ""))}} if rng.random() < 0.7 else {}
        pods = {"namespace": rng.choice(("ids", "kube-system")), "podSelector": labels}
        clients.insert(rng.randint(0, 1), {"type": "Pods", "pods": pods})
    if rng.random() < 0.3:
        sockets["access"] = rng.choice(("Receive", "ReceiveTransmit"))
    if rng.random() < 0.3:
        sockets["copyMode"] = rng.choice(("Auto", "Copy", "ZeroCopy"))
    return sockets


def _route(rng: Random) -> Json:
    return {"table": rng.choice((1, 254, 4294967295))} if rng.random() < 0.7 else {}


_MEMBERS: dict[str, tuple[str, Callable[[Random], object]] | None] = {
    "Pass": None,
    "Drop": None,
    "TX": ("tx", _tx),
    "Device": ("device", _device),
    "DeviceGroup": ("deviceGroup", _group),
    "DeviceTable": ("deviceTable", lambda rng: _table(rng, "device", _device)),
    "Broadcast": ("broadcast", _broadcast),
    "CPUs": ("cpus", _cpus),
    "CPUTable": ("cpuTable", lambda rng: _table(rng, "cpu", lambda r: r.randint(0, 4095))),
    "Sockets": ("sockets", _sockets),
    "Route": ("route", _route),
}
