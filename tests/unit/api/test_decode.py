"""The decoder on its own: exact values."""

from typing import Any

import pytest

from tests.unit.api.changes import example
from xdpredirect.api import action as a
from xdpredirect.api.clients import PodClients, SocketProtocol
from xdpredirect.api.decode import decode_address_set, decode_redirect
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Fragments, IcmpType, Match, Prefix, Range
from xdpredirect.api.redirect import Rule

IDS = {
    "type": "Pods",
    "pods": {"namespace": "ids", "podSelector": {"matchLabels": {"app": "ids"}}},
}


def rule(match: Any, action: Any) -> Rule:
    document = example("device.yaml")
    document["spec"]["rules"] = [{"name": "r", "match": match, "action": action}]
    return decode_redirect(document).spec.rules[0]


def match(**fields: Any) -> Match:
    return rule(fields, {"type": "Drop"}).match


def action(**fields: Any) -> a.Action:
    return rule({"all": True}, fields).action


@pytest.mark.parametrize(
    ("fields", "parsed"),
    [
        ({"all": True}, Match(all=True)),
        ({"etherTypes": ["IPv6", "0x88f7"]}, Match(ether_types=(0x86DD, 0x88F7))),
        ({"vlanTags": "None"}, Match(vlan_tags=0)),
        ({"vlanTags": "Two"}, Match(vlan_tags=2)),
        (
            {"vlanIDs": [{"id": 7}, {"id": 8, "endID": 9}]},
            Match(vlan_ids=(Range(7, 7), Range(8, 9))),
        ),
        ({"sourceMACs": ["02:00:00:00:00:0A"]}, Match(source_macs=(b"\2\0\0\0\0\x0a",))),
        ({"sourceCIDRs": ["10.0.0.0/8"]}, Match(source_cidrs=(Prefix(b"\x0a\0\0\0", 8),))),
        ({"destinationCIDRs": ["::/0"]}, Match(destination_cidrs=(Prefix(bytes(16), 0),))),
        ({"sourceAddressSets": [{"name": "bots"}]}, Match(source_address_sets=("bots",))),
        ({"protocols": ["TCP", "ICMPv6", "0", "255"]}, Match(protocols=(6, 58, 0, 255))),
        ({"destinationPorts": [{"port": 0}]}, Match(destination_ports=(Range(0, 0),))),
        ({"dscp": [0, 63]}, Match(dscp=(0, 63))),
        (
            {"tcpFlags": {"set": ["SYN", "SYN"], "unset": ["ACK", "CWR"]}},
            Match(tcp_set=2, tcp_unset=144),
        ),
        ({"fragments": "Later"}, Match(fragments=Fragments.LATER)),
        ({"fragments": "None"}, Match(fragments=Fragments.NONE)),
        ({"rxQueues": "8,0-3"}, Match(rx_queues=(Range(8, 8), Range(0, 3)))),
        (
            {"icmpTypes": [{"type": 8}, {"type": 3, "code": 0}]},
            Match(icmp_types=(IcmpType(8, None), IcmpType(3, 0))),
        ),
        ({"lengths": [{"min": 60}, {"max": 99}]}, Match(lengths=(Range(60, 65535), Range(14, 99)))),
    ],
)
def test_match(fields: dict[str, Any], parsed: Match) -> None:
    assert match(**fields) == parsed


@pytest.mark.parametrize(
    ("fields", "parsed"),
    [
        ({"type": "Pass"}, a.Pass()),
        ({"type": "TX", "tx": {}}, a.Tx()),
        (
            {"type": "TX", "tx": {"rewrite": {"swapMACs": True}}},
            a.Tx(rewrite=a.Rewrite(swap_macs=True)),
        ),
        (
            {
                "type": "Sockets",
                "sockets": {
                    "queues": "0-3,8",
                    "clients": [
                        {"type": "Users", "users": ["capture", "65534"]},
                        {"type": "Users", "users": ["65534", "0"]},
                    ],
                },
            },
            a.Sockets(queues=(Range(0, 3), Range(8, 8)), users=("capture", "65534", "0")),
        ),
        (
            {
                "type": "Sockets",
                "sockets": {
                    "queues": "0",
                    "clients": [IDS, {"type": "Users", "users": ["0"]}, IDS],
                },
            },
            a.Sockets(
                queues=(Range(0, 0),),
                users=("0",),
                pods=(
                    PodClients(
                        namespace="ids",
                        selector=LabelSelector(match_labels=(("app", "ids"),)),
                    ),
                ),
            ),
        ),
        (
            {
                "type": "Sockets",
                "sockets": {
                    "queues": "0",
                    "clients": [{"type": "Users", "users": ["0"]}],
                    "access": "ReceiveTransmit",
                    "copyMode": "ZeroCopy",
                },
            },
            a.Sockets(
                queues=(Range(0, 0),),
                users=("0",),
                access=a.SocketAccess.RECEIVE_TRANSMIT,
                copy_mode=a.CopyMode.ZERO_COPY,
            ),
        ),
        (
            {
                "type": "Sockets",
                "sockets": {
                    "queues": "0",
                    "clients": [{"type": "Users", "users": ["0"]}],
                    "protocol": "DevicePlugin",
                    "access": "ReceiveTransmit",
                },
            },
            a.Sockets(
                queues=(Range(0, 0),),
                users=("0",),
                access=a.SocketAccess.RECEIVE_TRANSMIT,
                protocol=SocketProtocol.DEVICE_PLUGIN,
            ),
        ),
        ({"type": "Route"}, a.Route()),
        ({"type": "Route", "route": {"table": 7}}, a.Route(table=7)),
        ({"type": "Device", "device": {"name": "eth1"}}, a.ToDevice(name="eth1")),
        (
            {"type": "DeviceGroup", "deviceGroup": {"members": [{"name": "a"}]}},
            a.DeviceGroup(members=(a.GroupMember(name="a", weight=1),)),
        ),
        (
            {"type": "Broadcast", "broadcast": {"devices": [{"name": "a"}]}},
            a.Broadcast(devices=("a",), exclude_ingress=True),
        ),
        ({"type": "CPUs", "cpus": {"set": "2-5"}}, a.CPUs(set=(Range(2, 5),))),
        ({"type": "CPUs", "cpus": {"auto": {}}}, a.CPUs(auto=a.AutoCPUs())),
        (
            {"type": "CPUs", "cpus": {"set": "1", "then": {"type": "Drop"}}},
            a.CPUs(set=(Range(1, 1),), then=a.Then(drop=True)),
        ),
    ],
)
def test_action(fields: dict[str, Any], parsed: a.Action) -> None:
    assert action(**fields) == parsed


@pytest.mark.parametrize(
    ("key_by", "text", "key"),
    [
        ("VLAN", "4094", 4094),
        ("VNI", "16777215", 16777215),
        ("TEID", "4294967295", 4294967295),
        ("DSCP", "63", 63),
        ("RxQueue", "0", 0),
        ("IngressInterface", "eth0.100", "eth0.100"),
        ("SourceIP", "192.0.2.1", Prefix(b"\xc0\0\x02\x01", 32)),
        ("DestinationIP", "2001:db8::/32", Prefix(b"\x20\x01\x0d\xb8" + bytes(12), 32)),
        ("SourceMAC", "02:00:00:00:00:0a", b"\2\0\0\0\0\x0a"),
    ],
)
def test_table_keys(key_by: str, text: str, key: a.TableKey) -> None:
    found = action(
        type="CPUTable", cpuTable={"keyBy": key_by, "entries": [{"key": text, "cpu": 3}]}
    )
    assert found == a.CPUTable(
        key_by=a.KeyBy(key_by), entries=(a.CPUEntry(text=text, key=key, cpu=3),)
    )


def test_groups_are_keys_where_a_set_is_named() -> None:
    table = {
        "keyBy": "SourceIP",
        "addressSet": {"name": "s"},
        "entries": [{"key": "tier-a", "device": {"name": "eth1"}}],
    }
    assert action(type="DeviceTable", deviceTable=table) == a.DeviceTable(
        key_by=a.KeyBy.SOURCE_IP,
        entries=(a.DeviceEntry(text="tier-a", key="tier-a", device="eth1"),),
        address_set="s",
    )


def address_set(**spec: Any) -> dict[str, Any]:
    return {**example("address-sets.yaml"), "spec": spec}


def test_address_sets() -> None:
    flat = decode_address_set(address_set(cidrs=["10.0.0.0/8", "::1"]))
    assert flat.cidrs == (Prefix(b"\x0a\0\0\0", 8), Prefix(bytes(15) + b"\x01", 128))
    grouped = decode_address_set(address_set(groups=[{"name": "a", "cidrs": ["192.0.2.1"]}]))
    assert grouped.groups == (("a", (Prefix(b"\xc0\0\x02\x01", 32),)),)


def test_generation() -> None:
    document = {**example(), "metadata": {"name": "edge", "generation": 7, "uid": "x"}}
    assert decode_redirect(document).generation == 7
    assert decode_redirect(example()).generation == 1


def test_a_full_address_set_is_decoded() -> None:
    cidrs = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32" for n in range(50_000)]
    document = address_set(cidrs=cidrs)
    assert len(set(decode_address_set(document).cidrs)) == 50_000
