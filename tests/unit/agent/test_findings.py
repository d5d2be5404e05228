"""Each trap present and absent: the reason and severity that come out, and the fix in the words.

The rows are the specification; test_findings_targets.py holds those about targets and CPUs.
"""

import re
from dataclasses import replace

import pytest

from xdpredirect.agent.findings import Usage, findings
from xdpredirect.agent.report import Severity
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

NATIVE, GENERIC = XdpMode.NATIVE, XdpMode.GENERIC
INFO, DEGRADED, STALLED = Severity.INFO, Severity.DEGRADED, Severity.STALLED
ALL = XdpFeatures(0x67)

NIC = Link(ifindex=2, name="eth1", driver="e1000", up=True, carrier=True, features=ALL)
VETH = Link(
    ifindex=3, name="v0", kind="veth", driver="veth", lower=4, up=True, carrier=True, features=ALL
)
PEER = replace(VETH, ifindex=4, name="p0", lower=3)
FAR = replace(VETH, lower_here=False)


def found(usage: Usage, *others: Link) -> dict[str, tuple[Severity, str]]:
    """Severity and first command of the findings about `usage`, by reason."""
    host = Host(links=(usage.interface, *others))
    result = {}
    for finding in findings([usage], host):
        assert finding.object == "o"
        assert finding.interface == usage.interface.name
        assert usage.interface.name in finding.message
        command = re.search(r"`([^`]*)`", finding.message)
        result[finding.reason] = (finding.severity, command[1] if command else "")
    return result


def use(link: Link, mode: XdpMode = NATIVE, **more: object) -> Usage:
    return Usage(object="o", interface=link, mode=mode, **more)  # type: ignore[arg-type]


def on(link: Link, *offloads: str) -> Link:
    return replace(link, offloads=dict.fromkeys(offloads, True))


CSUM = "tx-checksum-ip-generic"
TX_OFF = "ethtool -K p0 tx off"


@pytest.mark.parametrize(
    ("description", "usage", "peer", "expected"),
    [
        ("redirect", use(VETH, redirects=True), on(PEER, CSUM), (STALLED, TX_OFF)),
        ("TX", use(VETH, tx=True), on(PEER, CSUM), (STALLED, TX_OFF)),
        ("IPv4 only", use(VETH, redirects=True), on(PEER, "tx-checksum-ipv4"), (STALLED, TX_OFF)),
        ("offload off", use(VETH, redirects=True), PEER, None),
        ("only passes and drops", use(VETH), on(PEER, CSUM), None),
        ("generic keeps the buffer", use(VETH, GENERIC, redirects=True), on(PEER, CSUM), None),
        ("wire end is a NIC", use(on(NIC, CSUM), redirects=True), on(PEER, CSUM), None),
    ],
)
def test_partial_checksums(
    description: str, usage: Usage, peer: Link, expected: tuple[Severity, str] | None
) -> None:
    assert found(usage, peer).get("PartialChecksums") == expected, description


RXVLAN = "rx-vlan-hw-parse"
NIC_RXVLAN = "ethtool -K eth1 rxvlan off"


@pytest.mark.parametrize(
    ("description", "usage", "peer", "expected"),
    [
        ("NIC", use(on(NIC, RXVLAN), redirects=True), PEER, (DEGRADED, NIC_RXVLAN)),
        ("rules match", use(on(NIC, RXVLAN), matches_vlan=True), PEER, (STALLED, NIC_RXVLAN)),
        ("NIC, off", use(NIC, matches_vlan=True), PEER, None),
        ("generic, no match", use(on(NIC, RXVLAN), GENERIC, redirects=True), PEER, None),
        (
            "generic, rules match",
            use(on(NIC, RXVLAN), GENERIC, matches_vlan=True),
            PEER,
            (STALLED, NIC_RXVLAN),
        ),
        (
            "veth",
            use(VETH, redirects=True),
            on(PEER, "tx-vlan-hw-insert"),
            (DEGRADED, "ethtool -K p0 txvlan off"),
        ),
        (
            "veth, service tags too",
            use(VETH, matches_vlan=True),
            on(PEER, "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert"),
            (STALLED, "ethtool -K p0 txvlan off tx-vlan-stag-hw-insert off"),
        ),
        ("its own rxvlan changes nothing", use(on(VETH, RXVLAN), redirects=True), PEER, None),
    ],
)
def test_vlan_stripping(
    description: str, usage: Usage, peer: Link, expected: tuple[Severity, str] | None
) -> None:
    assert found(usage, peer).get("VlanStripping") == expected, description


@pytest.mark.parametrize(
    ("description", "usage", "peer", "command"),
    [
        (
            "GRO",
            use(on(NIC, "rx-gro"), GENERIC, redirects=True),
            PEER,
            "ethtool -K eth1 gro off",
        ),
        (
            "hardware merges",
            use(on(NIC, "rx-gro", "rx-lro"), GENERIC, redirects=True),
            PEER,
            "ethtool -K eth1 gro off rx-lro off",
        ),
        (
            "peer segments",
            use(VETH, GENERIC, redirects=True),
            on(PEER, "tx-tcp-segmentation"),
            TX_OFF,
        ),
        ("none", use(VETH, GENERIC, redirects=True), PEER, None),
        ("native", use(on(NIC, "rx-gro"), redirects=True), PEER, None),
        ("only drops", use(on(NIC, "rx-gro"), GENERIC), PEER, None),
    ],
)
def test_generic_with_offload(
    description: str, usage: Usage, peer: Link, command: str | None
) -> None:
    expected = (DEGRADED, command) if command else None
    assert found(usage, peer).get("GenericWithOffload") == expected, description


@pytest.mark.parametrize(
    ("description", "usage", "command"),
    [
        ("native", use(FAR, redirects=True), "ethtool -K <peer> tx off txvlan off"),
        ("native, only VLAN", use(FAR, matches_vlan=True), "ethtool -K <peer> txvlan off"),
        ("generic", use(FAR, GENERIC, redirects=True), "ethtool -K <peer> tx off"),
        ("nothing at stake", use(FAR), None),
        ("readable", use(VETH, redirects=True), None),
        ("no veth", use(NIC, redirects=True), None),
    ],
)
def test_peer_unreadable(description: str, usage: Usage, command: str | None) -> None:
    host = Host(links=(usage.interface, PEER))
    messages = [f.message for f in findings([usage], host) if f.reason == "PeerUnreadable"]
    assert [f"`{command}`" in message for message in messages] == [True] * bool(command)


@pytest.mark.parametrize(
    ("reason", "usage", "expected"),
    [
        ("LargeReceive", use(on(NIC, "rx-lro")), (DEGRADED, "ethtool -K eth1 lro off")),
        ("LargeReceive", use(NIC), None),
        ("NotPromiscuous", use(NIC, wire=True), (DEGRADED, "ip link set eth1 promisc on")),
        ("NotPromiscuous", use(replace(NIC, promiscuity=1), wire=True), None),
        ("NotPromiscuous", use(NIC), None),
        ("NotPromiscuous", use(VETH, wire=True), None),
        ("NativeUnsupported", use(replace(NIC, features=XdpFeatures(0))), (STALLED, "")),
        ("NativeUnsupported", use(replace(NIC, features=None)), None),
        ("NativeUnsupported", use(replace(NIC, features=XdpFeatures(0)), GENERIC), None),
        ("NativeUnsupported", use(NIC), None),
        (
            "GenericFallback",
            use(replace(NIC, features=XdpFeatures(0)), GENERIC, auto=True),
            (DEGRADED, ""),
        ),
        ("GenericFallback", use(NIC, GENERIC, auto=True), (DEGRADED, "")),
        ("GenericFallback", use(NIC, auto=True), None),
        ("GenericFallback", use(replace(NIC, features=XdpFeatures(0)), GENERIC), None),
        ("AttachFlap", use(replace(NIC, driver="i40e")), (INFO, "")),
        ("AttachFlap", use(replace(NIC, driver="i40e"), GENERIC), None),
        ("AttachFlap", use(replace(NIC, driver="i40e", xdp_prog_id=7)), None),
        ("AttachFlap", use(NIC), None),
        (
            "AttachFlap",
            use(replace(NIC, carrier_changes=4, xdp_prog_id=7), carrier_changes_before=2),
            (INFO, ""),
        ),
        (
            "AttachFlap",
            use(replace(NIC, carrier_changes=2, xdp_prog_id=7), carrier_changes_before=2),
            None,
        ),
    ],
)
def test_ingress(reason: str, usage: Usage, expected: tuple[Severity, str] | None) -> None:
    assert found(usage, PEER).get(reason) == expected


VLAN = Link(ifindex=9, name="eth1.40", kind="vlan", lower=2, vlan_id=40, features=XdpFeatures(0))
BOND = Link(ifindex=8, name="bond0", kind="bond")


@pytest.mark.parametrize(
    ("usage", "severity", "words"),
    [
        (use(VLAN), STALLED, "Select eth1 with `vlanIDs: [{id: 40}]`"),
        (use(VLAN, GENERIC), DEGRADED, "Select eth1 with `vlanIDs: [{id: 40}]`"),
        (use(replace(NIC, master=8)), DEGRADED, "Select bond0."),
    ],
)
def test_upper_interface(usage: Usage, severity: Severity, words: str) -> None:
    (finding,) = findings([usage], Host(links=(NIC, BOND, VLAN)))
    assert (finding.reason, finding.severity) == ("UpperInterface", severity)
    assert words in finding.message


def test_a_bridge_port_is_no_trap() -> None:
    bridge = replace(BOND, name="br0", kind="bridge")
    assert findings([use(replace(NIC, master=8))], Host(links=(NIC, bridge))) == ()


def test_sorted_and_without_repetition() -> None:
    usages = [
        Usage(object=name, interface=link, mode=NATIVE, wire=True, redirects=True)
        for name in ("b", "a", "b")
        for link in (replace(NIC, name="z"), replace(NIC, name="y", offloads={"rx-lro": True}))
    ]
    host = Host(links=(NIC,))
    result = findings(usages, host)
    keys = [(f.object, f.interface, f.reason) for f in result]
    assert keys == [
        ("a", "y", "LargeReceive"),
        ("a", "y", "NotPromiscuous"),
        ("a", "z", "NotPromiscuous"),
        ("b", "y", "LargeReceive"),
        ("b", "y", "NotPromiscuous"),
        ("b", "z", "NotPromiscuous"),
    ]
    assert findings(usages[::-1], host) == result
