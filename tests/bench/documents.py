"""The same objects as in `objects`, as files hold them, for benchmarks that go through an agent."""

from collections.abc import Sequence
from typing import Any

from tests.bench import objects
from xdpredirect.api.redirect import XdpAddressSet

API_VERSION = "xdpredirect.io/v1alpha1"
Document = dict[str, Any]
TO_DEVICE = {"type": "Device", "device": {"name": "out"}}
EVERYTHING: list[Document] = [{"name": "all", "match": {"all": True}, "action": TO_DEVICE}]
TO_CPU: list[Document] = [
    {
        "name": "all",
        "match": {"all": True},
        "action": {"type": "CPUs", "cpus": {"set": "1", "spreadBy": "Flow"}},
    }
]


def redirect(rules: Sequence[Document], interface: str = "p1", device: str = "p2") -> Document:
    """An XdpRedirect without protection; its device `out` is `device`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "XdpRedirect",
        "metadata": {"name": "bench"},
        "spec": {
            "nodeSelector": {},
            "interfaces": [{"names": [interface]}],
            "devices": [{"name": "out", "select": [{"names": [device]}]}],
            "protect": "None",
            "rules": list(rules),
        },
    }


def five_tuples(count: int, first: int = objects.FIRST_PORT) -> list[Document]:
    """Rules for one flow each."""
    return [
        {
            "name": f"flow-{port - first}",
            "match": {
                "protocols": ["UDP"],
                "sourceCIDRs": ["10.0.0.1/32"],
                "destinationCIDRs": ["10.0.1.1/32"],
                "sourcePorts": [{"port": 1000}],
                "destinationPorts": [{"port": port}],
            },
            "action": TO_DEVICE,
        }
        for port in range(first, first + count)
    ]


def from_sets(*names: str) -> list[Document]:
    """One rule for sources in address sets."""
    listed = [{"name": name} for name in names]
    return [{"name": "listed", "match": {"sourceAddressSets": listed}, "action": TO_DEVICE}]


def address_set(made: XdpAddressSet) -> Document:
    """An XdpAddressSet (IPv4)."""
    cidrs = [f"{'.'.join(map(str, prefix.address))}/{prefix.length}" for prefix in made.cidrs]
    return {
        "apiVersion": API_VERSION,
        "kind": "XdpAddressSet",
        "metadata": {"name": made.name},
        "spec": {"cidrs": cidrs},
    }
