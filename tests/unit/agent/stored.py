"""Documents for the store, and what it has; for the tests of the store and of the commands."""

from typing import Any

from xdpredirect.agent.store import Key, Store

EDGE = Key("XdpRedirect", "edge")


def redirect(name: str = "edge", vlan: int = 100, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {},
            "interfaces": [{"names": ["veth0"]}],
            "rules": [
                {
                    "name": "r",
                    "match": {"vlanIDs": [{"id": vlan}]},
                    "action": {"type": "Drop"},
                }
            ],
            **spec,
        },
    }


def address_set(name: str = "bots", cidr: str = "192.0.2.0/24") -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpAddressSet",
        "metadata": {"name": name},
        "spec": {"cidrs": [cidr]},
    }


def vlan_of(store: Store, name: str = "edge") -> int:
    (found,) = (r for r in store.read_all().objects.redirects if r.name == name)
    return found.spec.rules[0].match.vlan_ids[0].first


def generations(store: Store) -> dict[str, int]:
    return {r.name: r.generation for r in store.read_all().objects.redirects}
