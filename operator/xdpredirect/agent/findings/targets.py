"""Devices that frames are sent to: there, up, large enough and able to transmit XDP frames.

Called by `findings`.
"""

from collections.abc import Iterator

from xdpredirect.agent.findings.usage import ONE_BUFFER, Target, Usage, peer_of
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

# Devices that never get ndo_xdp_xmit, with or without a program on them.
_NEVER_TRANSMITS = ("bridge", "dummy", "ifb", "ipvlan", "macvlan", "vlan", "vxlan", "geneve", "vrf")
# No frame gets through: Stalled when this holds for every target of a rule. The other reasons cost
# some frames, or all of them for a while.
_UNUSABLE = ("DeviceMissing", "TargetCannotTransmit")


def check_targets(usage: Usage, host: Host) -> Iterator[Finding]:
    """DeviceMissing, TargetDown, TargetMtuSmaller, TargetNotScatterGather and
    TargetCannotTransmit, per rule and device."""
    yield from _tx_on_veth(usage, host)
    problems = [
        (reason, target, message)
        for target in usage.targets
        if target.kind != "cpu"
        for reason, message in _problems(usage, target, host).items()
        if message
    ]
    for reason, target, message in problems:
        if reason in _UNUSABLE:
            lost = [t for r, t, _ in problems if r == reason and t.rule == target.rule]
            yield usage.unusable(reason, lost, message)
        else:
            yield usage.rule_finding(reason, Severity.DEGRADED, target.rule, message)


def _tx_on_veth(usage: Usage, host: Host) -> Iterator[Finding]:
    """TX puts frames into the peer's ring, but wakes the peer only when it has a program of its
    own, and not for GRO as a redirect does (measured on 6.18: 0 of 50 with GRO, 50 of 50 with a
    program)."""
    link = usage.interface
    if not usage.tx or usage.mode is not XdpMode.NATIVE or link.kind != "veth":
        return
    lost = f"TX on {link.name} is lost unless an XDP program is attached to its peer"
    instead = "attach one that passes everything, or use mode Generic"
    peer = peer_of(link, host)
    if peer is not None:
        if peer.xdp_mode is not XdpMode.NATIVE:
            message = f"{lost} {peer.name}. Set `prepare: Apply`, {instead}."
            yield usage.finding("TargetCannotTransmit", Severity.STALLED, message)
    elif link.features is not None:
        # What the feature tells of a peer elsewhere: it has GRO or a program, or neither.
        either = bool(link.features & XdpFeatures.NDO_XMIT)
        yield usage.finding(
            "PeerUnreadable" if either else "TargetCannotTransmit",
            Severity.INFO if either else Severity.STALLED,
            f"{lost}, which lives in another network namespace. Look there with "
            f"`ip link show <peer>`; if there is none, {instead}.",
        )


def _problems(usage: Usage, target: Target, host: Host) -> dict[str, str]:
    """Reason to message; an empty message where all is well."""
    link = target.link
    if link is None:
        message = (
            f"No interface of this machine is {target.name}. It is used as soon as it appears; "
            "until then onMiss decides."
        )
        return {"DeviceMissing": message}
    native = usage.mode is XdpMode.NATIVE
    return {
        "TargetCannotTransmit": _cannot_transmit(link, host) if native else "",
        "TargetDown": _down(link),
        "TargetMtuSmaller": _mtu_smaller(usage.interface, link),
        "TargetNotScatterGather": _not_scatter_gather(usage, target, link),
    }


def _down(link: Link) -> str:
    if not link.up:
        return f"{link.name} is down. Run `ip link set {link.name} up`."
    if not link.carrier:
        return f"{link.name} has no carrier and discards what is sent to it. Mend the link."
    return ""


def _mtu_smaller(ingress: Link, link: Link) -> str:
    if link.mtu >= ingress.mtu:
        return ""
    return (
        f"Frames longer than the MTU of {link.name} ({link.mtu}) are discarded; {ingress.name} "
        f"takes up to {ingress.mtu}. Run `ip link set {link.name} mtu {ingress.mtu}`."
    )


def _not_scatter_gather(usage: Usage, target: Target, link: Link) -> str:
    ingress = usage.interface
    if not usage.frags or ingress.mtu <= ONE_BUFFER:
        return ""
    native = usage.mode is XdpMode.NATIVE
    if native and (link.features is None or not link.features & XdpFeatures.NDO_XMIT):
        return ""
    lower = f"Run `ip link set {ingress.name} mtu {ONE_BUFFER}`"
    if target.kind == "broadcast":
        return (
            "The kernel does not copy frames in several buffers, so a broadcast loses packets "
            f"longer than {ONE_BUFFER} octets that arrive on {ingress.name}. {lower}."
        )
    if not native or link.features is None or link.features & XdpFeatures.NDO_XMIT_SG:
        return ""
    return (
        f"{link.name} ({link.driver}) cannot send frames in several buffers, which packets longer "
        f"than {ONE_BUFFER} octets on {ingress.name} may need. {lower}, or use mode Generic."
    )


def _cannot_transmit(link: Link, host: Host) -> str:
    """Why native XDP cannot send through `link` and what to do; empty when it can or when the
    kernel does not tell. Generic mode uses the ordinary transmit path instead."""
    if link.features is None or link.features & XdpFeatures.NDO_XMIT:
        return ""
    refuses = f"{link.name} discards every frame that native XDP sends to it"
    if link.kind == "veth":
        return _veth_without_receiver(refuses, peer_of(link, host))
    if not link.features & XdpFeatures.BASIC or link.kind in _NEVER_TRANSMITS:
        what = link.kind or link.driver or link.name
        return f"{refuses}: {what} has no XDP transmit. Use mode Generic, or another device."
    return (
        f"{refuses}: {link.driver or 'its driver'} transmits only while an XDP program is attached "
        f"to {link.name} itself. Set `prepare: Apply`, or attach one that passes everything."
    )


def _veth_without_receiver(refuses: str, peer: Link | None) -> str:
    if peer is None:
        return (
            f"{refuses}, because its peer in another network namespace is down or has neither GRO "
            "nor an XDP program. Run `ethtool -K <peer> gro on` in that namespace."
        )
    if not peer.up:
        return f"{refuses}, because its peer {peer.name} is down. Run `ip link set {peer.name} up`."
    return (
        f"{refuses}, because its peer {peer.name} has neither GRO nor an XDP program. "
        f"Run `ethtool -K {peer.name} gro on`."
    )
