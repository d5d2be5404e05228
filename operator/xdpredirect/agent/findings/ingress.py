"""Properties of the selected interface itself: driver, MAC filter, place in a stack of devices.

Called by `findings`.
"""

from collections.abc import Iterator

from xdpredirect.agent.findings.usage import Usage
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.host import Host, XdpFeatures, XdpMode

# These rebuild their rings to make room for XDP, and the link goes down meanwhile.
RESETTING_DRIVERS = frozenset(
    {"bnxt_en", "ena", "i40e", "ice", "igb", "igc", "ixgbe", "ixgbevf", "mlx5_core", "mvpp2"}
    | {"nfp", "qede", "sfc", "st_gmac", "tsnep"}
)
# Point-to-point devices hand over every frame, whatever its destination (measured on veth).
WITHOUT_MAC_FILTER = ("veth", "tun")
_AGGREGATES = ("bond", "team")


def check_ingress(usage: Usage, host: Host) -> Iterator[Finding]:
    """NativeUnsupported, GenericFallback, NotPromiscuous, AttachFlap and UpperInterface."""
    yield from _native_unsupported(usage)
    yield from _generic_fallback(usage)
    yield from _not_promiscuous(usage)
    yield from _attach_flap(usage)
    yield from _upper_interface(usage, host)


def _native_unsupported(usage: Usage) -> Iterator[Finding]:
    link = usage.interface
    if usage.mode is not XdpMode.NATIVE or link.features is None or link.kind == "vlan":
        return
    if not link.features & XdpFeatures.BASIC:
        yield usage.finding(
            "NativeUnsupported",
            Severity.STALLED,
            f"The driver of {link.name} ({link.driver or 'none'}) has no native XDP. Use mode "
            "Auto or Generic.",
        )


def _generic_fallback(usage: Usage) -> Iterator[Finding]:
    link = usage.interface
    if not usage.auto or usage.mode is not XdpMode.GENERIC:
        return
    if link.features is not None and link.features & XdpFeatures.BASIC:
        words = (
            f"{link.name} runs in the slower generic mode: its driver ({link.driver}) refused the "
            "program, or the mode was Generic before. Use mode Native, which says why."
        )
    else:
        words = (
            f"The driver of {link.name} ({link.driver or 'none'}) has no native XDP, so mode Auto "
            "took the slower generic one. Use another interface, or mode Generic if that will do."
        )
    yield usage.finding("GenericFallback", Severity.DEGRADED, words)


def _not_promiscuous(usage: Usage) -> Iterator[Finding]:
    link = usage.interface
    if usage.wire and not link.promiscuity and link.kind not in WITHOUT_MAC_FILTER:
        yield usage.finding(
            "NotPromiscuous",
            Severity.DEGRADED,
            f"{link.name} is one end of a wire, but takes only frames for its own MAC address. "
            f"Run `ip link set {link.name} promisc on`.",
        )


def _attach_flap(usage: Usage) -> Iterator[Finding]:
    link, before = usage.interface, usage.carrier_changes_before
    if usage.mode is not XdpMode.NATIVE:
        return
    if before is not None and link.carrier_changes > before:
        yield usage.finding(
            "AttachFlap",
            Severity.INFO,
            f"{link.name} ({link.driver or 'no driver'}) lost its carrier when the program was "
            f"attached ({link.carrier_changes - before} changes since). "
            "Attach in a maintenance window.",
        )
    elif not link.xdp_prog_id and link.driver in RESETTING_DRIVERS:
        yield usage.finding(
            "AttachFlap",
            Severity.INFO,
            f"{link.driver} resets {link.name} when a program is attached: no traffic for up to "
            "20 seconds. Attach in a maintenance window.",
        )


def _upper_interface(usage: Usage, host: Host) -> Iterator[Finding]:
    link = usage.interface
    if link.kind == "vlan":
        lower = host.link(link.lower) if link.lower_here else None
        name = lower.name if lower else "the device below it"
        yield usage.finding(
            "UpperInterface",
            Severity.STALLED if usage.mode is XdpMode.NATIVE else Severity.DEGRADED,
            f"{link.name} is a VLAN device: XDP there is slow, and never native. Select {name} "
            f"with `vlanIDs: [{{id: {link.vlan_id}}}]` in the match.",
        )
    master = host.link(link.master) if link.master else None
    if master is not None and master.kind in _AGGREGATES:
        yield usage.finding(
            "UpperInterface",
            Severity.DEGRADED,
            f"{link.name} is a member of {master.name} ({master.kind}) and sees a part of its "
            f"traffic. Select {master.name}.",
        )
