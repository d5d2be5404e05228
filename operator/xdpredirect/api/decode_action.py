"""Reads `spec.rules[].action` and the rewrite of named devices.

Called by decode. The union is strict: the type names the one member that is read, and any other
member is an error.
"""

from collections.abc import Mapping
from types import MappingProxyType

from xdpredirect.api import action as a
from xdpredirect.api.clients import SocketProtocol
from xdpredirect.api.decode_clients import decode_clients
from xdpredirect.api.decode_match import mac, name_of, ranges
from xdpredirect.api.fields import Fields, Parse, distinct, each, integer, one_of, problem, text
from xdpredirect.api.table_key import key_parser
from xdpredirect.api.wording import listed, shown

# A queue or a turn says nothing about the flow: fit for CPUs, but devices would see it reordered.
GROUP_SPREADS = (
    a.SpreadBy.FLOW,
    a.SpreadBy.INNER_FLOW,
    a.SpreadBy.SOURCE_IP,
    a.SpreadBy.DESTINATION_IP,
)
Entry = tuple[str, a.TableKey, object]


def decode_action(value: object, path: str) -> tuple[a.Action, a.OnMiss]:
    """A parsed action and its onMiss (Pass where it is absent). Raises InvalidInput."""
    f = Fields(value, path, ("type", "onMiss", *MEMBERS.values()))
    kind = f.required("type", text)
    if kind not in READERS:
        raise problem(f.path("type"), f"must be {listed(tuple(READERS))}, not {shown(kind)}")
    member = MEMBERS.get(kind)
    for other in MEMBERS.values():
        if other != member and f.has(other):
            owner = next(k for k, m in MEMBERS.items() if m == other)
            raise problem(f.path(other), f"is for type {owner}; remove it, or write type: {owner}")
    if kind in ("Pass", "Drop", "TX") and f.has("onMiss"):
        raise problem(f.path("onMiss"), f"is for redirects only; remove it from {kind}")
    on_miss = f.choice("onMiss", a.OnMiss, a.OnMiss.PASS)
    if member is None:
        return READERS[kind](None, path), on_miss
    if kind == "Route":
        return f.child(member, _route) or a.Route(), on_miss
    return f.required(member, READERS[kind]), on_miss


def decode_rewrite(value: object, path: str) -> a.Rewrite:
    """Changes to the Ethernet header. Raises InvalidInput."""
    f = Fields(value, path, ("destinationMAC", "sourceMAC", "swapMACs", "vlan"))
    found = a.Rewrite(
        destination_mac=f.child("destinationMAC", mac),
        source_mac=f.child("sourceMAC", mac),
        swap_macs=f.flag("swapMACs"),
        vlan=f.child("vlan", _vlan_rewrite),
    )
    if found == a.Rewrite():
        raise problem(path, "must not be empty; write such as {swapMACs: true}, or remove it")
    if found.swap_macs and (found.destination_mac or found.source_mac):
        raise problem(
            path, "swapMACs excludes destinationMAC and sourceMAC; remove the one or both"
        )
    return found


def _vlan_rewrite(value: object, path: str) -> a.VlanRewrite:
    f = Fields(value, path, ("operation", "id"))
    operation = f.required("operation", one_of(a.VlanOperation))
    if (operation is a.VlanOperation.POP) == f.has("id"):
        raise problem(path, "give id for Push and Replace; remove it for Pop")
    return a.VlanRewrite(operation=operation, id=f.child("id", integer))


def _tx(value: object, path: str) -> a.Action:
    return a.Tx(rewrite=Fields(value, path, ("rewrite",)).child("rewrite", decode_rewrite))


def _device(value: object, path: str) -> a.Action:
    return a.ToDevice(name=name_of(value, path))


def _group(value: object, path: str) -> a.Action:
    f = Fields(value, path, ("members", "spreadBy"))
    members = f.required("members", lambda v, p: each(v, p, _member))
    distinct((member.name for member in members), f.path("members"), "name")
    spread_by = f.choice("spreadBy", a.SpreadBy, a.SpreadBy.FLOW)
    if spread_by not in GROUP_SPREADS:
        words = listed([word.value for word in GROUP_SPREADS])
        raise problem(f.path("spreadBy"), f"must be {words}, not {shown(spread_by.value)}")
    return a.DeviceGroup(members=members, spread_by=spread_by)


def _member(value: object, path: str) -> a.GroupMember:
    f = Fields(value, path, ("name", "weight"))
    weight = f.child("weight", integer)
    return a.GroupMember(name=f.required("name", text), weight=1 if weight is None else weight)


def _table(
    value: object, path: str, target: str, read: Parse[object]
) -> tuple[a.KeyBy, str | None, tuple[Entry, ...]]:
    """keyBy, the address set and (text, key, target) of each entry."""
    f = Fields(value, path, ("keyBy", "addressSet", "entries"))
    key_by = f.required("keyBy", one_of(a.KeyBy))
    address_set = f.child("addressSet", name_of)
    if address_set and key_by not in (a.KeyBy.SOURCE_IP, a.KeyBy.DESTINATION_IP):
        raise problem(path, "addressSet needs keyBy SourceIP or DestinationIP; change keyBy")
    parse_key = key_parser(key_by, grouped=address_set is not None)

    def entry(value: object, path: str) -> Entry:
        e = Fields(value, path, ("key", target))
        written, key = e.required("key", parse_key)
        return written, key, e.required(target, read)

    entries = f.required("entries", lambda v, p: each(v, p, entry))
    distinct((key for _, key, _ in entries), f.path("entries"), "key")
    return key_by, address_set, entries


def _device_table(value: object, path: str) -> a.Action:
    key_by, address_set, entries = _table(value, path, "device", name_of)
    parsed = tuple(a.DeviceEntry(text=t, key=k, device=str(d)) for t, k, d in entries)
    return a.DeviceTable(key_by=key_by, entries=parsed, address_set=address_set)


def _cpu_table(value: object, path: str) -> a.Action:
    key_by, address_set, entries = _table(value, path, "cpu", integer)
    parsed = tuple(a.CPUEntry(text=t, key=k, cpu=integer(c, path)) for t, k, c in entries)
    return a.CPUTable(key_by=key_by, entries=parsed, address_set=address_set)


def _broadcast(value: object, path: str) -> a.Action:
    f = Fields(value, path, ("devices", "ingressDevice"))
    devices = f.required("devices", lambda v, p: each(v, p, name_of))
    distinct(devices, f.path("devices"), "name")
    ingress = f.child("ingressDevice", _word("Exclude", "Include"))
    return a.Broadcast(devices=devices, exclude_ingress=ingress != "Include")


def _cpus(value: object, path: str) -> a.Action:
    f = Fields(value, path, ("set", "auto", "queueSize", "spreadBy", "then"))
    if f.has("set") == f.has("auto"):
        raise problem(path, "give either set or auto; write set: 2-5, or auto: {count: 4}")
    queue_size = f.child("queueSize", integer)
    return a.CPUs(
        set=f.child("set", ranges) or (),
        auto=f.child("auto", _auto),
        queue_size=2048 if queue_size is None else queue_size,
        spread_by=f.choice("spreadBy", a.SpreadBy, a.SpreadBy.FLOW),
        then=f.child("then", _then) or a.Then(),
    )


def _auto(value: object, path: str) -> a.AutoCPUs:
    f = Fields(value, path, ("count", "avoid", "numa"))
    return a.AutoCPUs(
        count=f.child("count", integer),
        avoid=f.items("avoid", one_of(a.Avoid)),
        numa_ingress=f.child("numa", _word("Ingress", "Any")) == "Ingress",
    )


def _then(value: object, path: str) -> a.Then:
    f = Fields(value, path, ("type", "device"))
    kind = f.required("type", _word("Pass", "Drop", "Device"))
    if (kind == "Device") != f.has("device"):
        raise problem(path, "type Device and device belong together; give both, or neither")
    return a.Then(drop=kind == "Drop", device=f.child("device", name_of))


def _sockets(value: object, path: str) -> a.Action:
    f = Fields(value, path, ("queues", "clients", "protocol", "access", "copyMode"))
    clients = f.required("clients", decode_clients)
    return a.Sockets(
        queues=f.required("queues", ranges),
        users=clients.users,
        pods=clients.pods,
        access=f.choice("access", a.SocketAccess, a.SocketAccess.RECEIVE),
        copy_mode=f.choice("copyMode", a.CopyMode, a.CopyMode.AUTO),
        protocol=f.choice("protocol", SocketProtocol, SocketProtocol.NATIVE),
    )


def _route(value: object, path: str) -> a.Route:
    return a.Route(table=Fields(value, path, ("table",)).child("table", integer))


def _word(*words: str) -> Parse[str]:
    """A parser for a few words that have no class of their own."""

    def parse(value: object, path: str) -> str:
        if text(value, path) not in words:
            raise problem(path, f"must be {listed(words)}, not {shown(value)}")
        return str(value)

    return parse


# The member that goes with each type; Pass and Drop have none.
MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "TX": "tx",
        "Device": "device",
        "DeviceGroup": "deviceGroup",
        "DeviceTable": "deviceTable",
        "Broadcast": "broadcast",
        "CPUs": "cpus",
        "CPUTable": "cpuTable",
        "Sockets": "sockets",
        "Route": "route",
    }
)
READERS: Mapping[str, Parse[a.Action]] = MappingProxyType(
    {
        "Pass": lambda _value, _path: a.Pass(),
        "Drop": lambda _value, _path: a.Drop(),
        "TX": _tx,
        "Device": _device,
        "DeviceGroup": _group,
        "DeviceTable": _device_table,
        "Broadcast": _broadcast,
        "CPUs": _cpus,
        "CPUTable": _cpu_table,
        "Sockets": _sockets,
        "Route": _route,
    }
)
