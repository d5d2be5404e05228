"""Offloads that break frames on their way through XDP: checksums, VLAN tags, segmentation.

Called by `findings`. Measured on 6.18 with veths: in native mode unfinished checksums and tags
kept beside the frame get lost; in generic mode both travel along with the socket buffer, but the
program cannot see the tag.
"""

from collections.abc import Iterator

from xdpredirect.agent.findings.usage import Usage, peer_of
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.host import Host, Link, XdpMode


def check_offloads(usage: Usage, host: Host) -> Iterator[Finding]:
    """PartialChecksums, VlanStripping, GenericWithOffload, LargeReceive and PeerUnreadable."""
    peer = peer_of(usage.interface, host)
    if usage.interface.kind == "veth" and peer is None:
        yield from _peer_unreadable(usage)
    yield from _partial_checksums(usage, peer)
    yield from _vlan_stripping(usage, peer)
    yield from _generic_with_offload(usage, peer)
    yield from _large_receive(usage)


def _partial_checksums(usage: Usage, peer: Link | None) -> Iterator[Finding]:
    """Only what another device of this machine hands over can be unfinished. A virtio NIC gives
    up the offload by itself when a native program is attached."""
    sends = usage.redirects or usage.tx
    if usage.mode is not XdpMode.NATIVE or not sends or peer is None:
        return
    offloads = ("tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6")
    if any(peer.offloads.get(offload) for offload in offloads):
        yield usage.finding(
            "PartialChecksums",
            Severity.STALLED,
            f"{peer.name} hands frames with unfinished checksums to {usage.interface.name}; XDP "
            "forwards them as they are and the receiver discards TCP and UDP. "
            f"Run `ethtool -K {peer.name} tx off`.",
        )


def _vlan_stripping(usage: Usage, peer: Link | None) -> Iterator[Finding]:
    link = usage.interface
    if usage.mode is XdpMode.GENERIC and not usage.matches_vlan:
        return
    if link.kind == "veth":
        # A veth keeps the tag where its sender put it; its own rxvlan changes nothing (measured).
        stripped = peer is not None and _any(peer, "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
        command = f"ethtool -K {peer.name} txvlan off" if peer else ""
        if peer and peer.offloads.get("tx-vlan-stag-hw-insert"):
            command = f"ethtool -K {peer.name} txvlan off tx-vlan-stag-hw-insert off"
    else:
        stripped = _any(link, "rx-vlan-hw-parse")
        command = f"ethtool -K {link.name} rxvlan off"
    if not stripped:
        return
    yield usage.finding(
        "VlanStripping",
        Severity.STALLED if usage.matches_vlan else Severity.DEGRADED,
        f"The VLAN tag of frames that arrive on {link.name} is taken off before XDP runs: rules "
        "cannot match it"
        + (" and redirected frames leave untagged" if usage.mode is XdpMode.NATIVE else "")
        + f". Run `{command}`, or tagged traffic leaks into the untagged network.",
    )


def _generic_with_offload(usage: Usage, peer: Link | None) -> Iterator[Finding]:
    """Generic XDP sees frames that were merged, or never split: too long for most devices."""
    if usage.mode is not XdpMode.GENERIC or not usage.redirects:
        return
    link = usage.interface
    commands = []
    if _any(link, "rx-gro", "rx-gro-hw", "rx-lro"):
        also = "".join(
            f" {offload} off" for offload in ("rx-gro-hw", "rx-lro") if link.offloads.get(offload)
        )
        commands.append(f"ethtool -K {link.name} gro off{also}")
    if peer is not None and _any(peer, "tx-tcp-segmentation", "tx-tcp6-segmentation"):
        commands.append(f"ethtool -K {peer.name} tx off")
    if commands:
        run = " and ".join(f"`{command}`" for command in commands)
        yield usage.finding(
            "GenericWithOffload",
            Severity.DEGRADED,
            f"XDP on {link.name} runs in generic mode, where TCP arrives in packets of up to "
            f"64 KiB that the targets cannot send. Use mode Native, or run {run}.",
        )


def _large_receive(usage: Usage) -> Iterator[Finding]:
    link = usage.interface
    if usage.mode is XdpMode.NATIVE and link.offloads.get("rx-lro"):
        yield usage.finding(
            "LargeReceive",
            Severity.DEGRADED,
            f"{link.name} merges TCP segments in hardware (LRO), which native XDP cannot forward "
            f"and some drivers refuse. Run `ethtool -K {link.name} lro off`.",
        )


def _peer_unreadable(usage: Usage) -> Iterator[Finding]:
    """The offloads of a veth's far end in another namespace.

    Nothing on the near side tells them (tried on 6.18: its features, ethtool statistics and
    xdp-features stay the same; only GRO or a program at the far end shows, as NDO_XMIT).
    RTM_GETLINK with IFLA_TARGET_NETNSID carries no offloads, ethtool has no such attribute, and
    setns() needs CAP_SYS_ADMIN, which the agent must do without. So: say what to check.
    """
    wanted = ["tx-checksumming"] if usage.redirects or usage.tx else []
    if (usage.mode is XdpMode.NATIVE and wanted) or usage.matches_vlan:
        wanted.append("tx-vlan-offload")
    if usage.mode is XdpMode.GENERIC:
        # Checksums are safe there; switching them off is what ends segmentation offload.
        wanted = ["tcp-segmentation-offload" if w == "tx-checksumming" else w for w in wanted]
    if not wanted:
        return
    off = {"tx-vlan-offload": "txvlan off"}
    switches = " ".join(off.get(offload, "tx off") for offload in wanted)
    yield usage.finding(
        "PeerUnreadable",
        Severity.INFO,
        f"The peer of {usage.interface.name} lives in another network namespace, so its offloads "
        f"cannot be read. Check there that {' and '.join(wanted)} "
        f"{'are' if len(wanted) > 1 else 'is'} off with `ethtool -k <peer>`; if not, run "
        f"`ethtool -K <peer> {switches}`.",
    )


def _any(link: Link, *offloads: str) -> bool:
    return any(link.offloads.get(offload) for offload in offloads)
