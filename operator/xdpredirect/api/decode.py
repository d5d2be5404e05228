"""From a JSON object to a frozen XdpRedirect or XdpAddressSet, once, at the edge.

Called by load for files and by the agent for what it stored or was sent. Stricter than the
schema where text has to become numbers, and needs neither the schema nor its libraries.
"""

from collections.abc import Mapping

from xdpredirect.api.decode_action import decode_action, decode_rewrite
from xdpredirect.api.decode_labels import decode_selector
from xdpredirect.api.decode_match import decode_match, mac, network
from xdpredirect.api.fields import Fields, collected, distinct, each, integer, problem, text
from xdpredirect.api.match import Prefix
from xdpredirect.api.redirect import (
    Frags,
    InterfaceTerm,
    Mode,
    NamedDevice,
    Prepare,
    Protect,
    RedirectSpec,
    Rule,
    State,
    XdpAddressSet,
    XdpRedirect,
)
from xdpredirect.api.wording import shown
from xdpredirect.errors import InvalidInput

API_VERSION = "xdpredirect.io/v1alpha1"
_DOCUMENT = ("apiVersion", "kind", "metadata", "spec", "status")


def decode_redirect(obj: Mapping[str, object]) -> XdpRedirect:
    """The parsed object; its status, if any, is not read.

    Raises InvalidInput with one line per problem, each starting with the path of the field.
    """
    f, name, generation = _document(obj, "XdpRedirect")
    return XdpRedirect(name=name, generation=generation, spec=f.required("spec", _spec))


def decode_address_set(obj: Mapping[str, object]) -> XdpAddressSet:
    """The parsed set in the written order; an address stands for its /32 or /128.

    Raises InvalidInput with one line per problem, each starting with the path of the field.
    """
    f, name, generation = _document(obj, "XdpAddressSet")
    cidrs, groups = f.required("spec", _set_spec)
    return XdpAddressSet(name=name, cidrs=cidrs, groups=groups, generation=generation)


def _document(obj: Mapping[str, object], kind: str) -> tuple[Fields, str, int]:
    """The checked envelope: its fields, the object's name and its generation."""
    f = Fields(obj, "", _DOCUMENT)
    for field, wanted in (("apiVersion", API_VERSION), ("kind", kind)):
        found = f.required(field, text)
        if found != wanted:
            raise problem(field, f"must be {wanted}, not {shown(found)}")
    name, generation = f.required("metadata", _metadata)
    return f, name, generation


def _metadata(value: object, path: str) -> tuple[str, int]:
    # Other metadata belongs to Kubernetes; schema checks it for files.
    if not isinstance(value, Mapping):
        raise problem(path, f"must be an object, not {shown(value)}")
    f = Fields(
        {k: value[k] for k in ("name", "generation") if k in value}, path, ("name", "generation")
    )
    generation = f.child("generation", integer)
    return f.required("name", text), 1 if generation is None else generation


def _spec(value: object, path: str) -> RedirectSpec:
    f = Fields(value, path, SPEC_FIELDS)
    rules = f.required("rules", lambda v, p: each(v, p, _rule))
    distinct((rule.name for rule in rules), f.path("rules"), "name")
    devices = f.items("devices", _named_device)
    distinct((device.name for device in devices), f.path("devices"), "name")
    priority = f.child("priority", integer)
    return RedirectSpec(
        node_selector=f.required("nodeSelector", decode_selector),
        interfaces=f.required("interfaces", lambda v, p: each(v, p, _term)),
        rules=rules,
        mode=f.choice("mode", Mode, Mode.NATIVE),
        frags=f.choice("frags", Frags, Frags.AUTO),
        priority=500 if priority is None else priority,
        protect=f.choice("protect", Protect, Protect.NODE),
        prepare=f.choice("prepare", Prepare, Prepare.REPORT),
        devices=devices,
        state=f.choice("state", State, State.ACTIVE),
    )


SPEC_FIELDS = (
    "nodeSelector",
    "interfaces",
    "mode",
    "frags",
    "priority",
    "protect",
    "prepare",
    "devices",
    "rules",
    "state",
)


def _rule(value: object, path: str) -> Rule:
    f = Fields(value, path, ("name", "match", "action"))
    name = f.required("name", text)
    problems: list[str] = []
    match = collected(problems, lambda: f.required("match", decode_match))
    decided = collected(problems, lambda: f.required("action", decode_action))
    if match is None or decided is None:
        raise InvalidInput(tuple(problems))
    action, on_miss = decided
    return Rule(name=name, match=match, action=action, on_miss=on_miss)


def _term(value: object, path: str) -> InterfaceTerm:
    f = Fields(value, path, ("names", "excludeNames", "drivers", "pciAddresses", "macAddresses"))
    term = InterfaceTerm(
        names=f.items("names", text),
        exclude_names=f.items("excludeNames", text),
        drivers=f.items("drivers", text),
        pci_addresses=f.items("pciAddresses", text),
        mac_addresses=f.items("macAddresses", mac),
    )
    if not (term.names or term.drivers or term.pci_addresses or term.mac_addresses):
        raise problem(path, "selects nothing; add names, drivers, pciAddresses or macAddresses")
    return term


def _named_device(value: object, path: str) -> NamedDevice:
    f = Fields(value, path, ("name", "select", "rewrite"))
    return NamedDevice(
        name=f.required("name", text),
        select=f.items("select", _term),
        rewrite=f.child("rewrite", decode_rewrite),
    )


_Groups = tuple[tuple[str, tuple[Prefix, ...]], ...]


def _set_spec(value: object, path: str) -> tuple[tuple[Prefix, ...], _Groups]:
    f = Fields(value, path, ("cidrs", "groups"))
    if f.has("cidrs") == f.has("groups"):
        raise problem(path, "give either cidrs or groups; write cidrs: [192.0.2.0/24]")
    groups = f.items("groups", _set_group)
    distinct((name for name, _ in groups), f.path("groups"), "name")
    return f.items("cidrs", network), groups


def _set_group(value: object, path: str) -> tuple[str, tuple[Prefix, ...]]:
    f = Fields(value, path, ("name", "cidrs"))
    return f.required("name", text), f.required("cidrs", lambda v, p: each(v, p, network))
