"""Reports that look like those of a busy machine, for the tests of what people see."""

from xdpredirect.agent.report import (
    Finding,
    InterfaceReport,
    Loss,
    ObjectReport,
    Report,
    RuleCounters,
    RuleReport,
    Severity,
    SocketReport,
    SocketState,
)
from xdpredirect.host import XdpMode
from xdpredirect.xsk.grants import CopyMode

CHECKSUM = (
    "The peer of eth2 leaves checksums unfinished and XDP forwards them so: UDP and TCP are lost. "
    "Run `ethtool -K veth-peer tx off` in the sender's namespace."
)


def rule(
    object: str, name: str, action: str, targets: tuple[str, ...], *numbers: int
) -> RuleReport:
    """Numbers: packets, octets, misses, errors."""
    return RuleReport(
        object=object,
        rule=name,
        action=action,
        targets=targets,
        counters=RuleCounters(
            **dict(zip(("packets", "octets", "misses", "errors"), numbers, strict=False))
        ),
    )


def interface(
    name: str,
    *,
    objects: tuple[str, ...] = ("edge",),
    rules: tuple[RuleReport, ...] = (),
    mode: XdpMode = XdpMode.NATIVE,
    error: str = "",
) -> InterfaceReport:
    return InterfaceReport(
        name=name,
        ifindex=7,
        driver="veth" if name.startswith("veth") else "ice",
        mode=mode,
        frags=True,
        program_id=0 if mode is XdpMode.NONE else 812,
        program="" if mode is XdpMode.NONE else "xdpr_" + name,
        objects=objects,
        error=error,
        rules=rules,
        unmatched=RuleCounters(packets=20_311, octets=1_900_000),
        protected=RuleCounters(packets=318, octets=22_000),
        malformed=RuleCounters(packets=2, octets=64),
    )


def loss(
    reason: str, packets: int, *, rate: float = 0.0, hint: str = "", target: str = "eth2"
) -> Loss:
    return Loss(
        object="edge",
        rule="to-b",
        reason=reason,
        errno="ENETDOWN" if reason == "TargetDown" else "",
        interface="ens1f0",
        target=target,
        packets=packets,
        rate=rate,
        since="2026-01-02T03:04:05Z",
        hint=hint or f"{target} is down. Set it up: `ip link set {target} up`.",
    )


def thing(
    name: str = "edge",
    *,
    generation: int = 3,
    applied: int = 3,
    state: str = "Active",
    selected: bool = True,
    interfaces: tuple[str, ...] = ("ens1f0", "ens1f1"),
    conflicted: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
    findings: tuple[Finding, ...] = (),
    losses: tuple[Loss, ...] = (),
    sockets: tuple[SocketReport, ...] = (),
) -> ObjectReport:
    return ObjectReport(
        name=name,
        generation=generation,
        applied_generation=applied,
        state=state,
        selected=selected,
        interfaces=interfaces,
        conflicted=conflicted,
        failed=failed,
        findings=findings,
        losses=losses,
        sockets=sockets,
    )


def socket(queue: int = 0, state: SocketState = SocketState.HELD, lost: int = 0) -> SocketReport:
    return SocketReport(
        rule="capture",
        interface="ens1f0",
        queue=queue,
        state=state,
        pid=4711,
        user=65534,
        pod="",
        mode=CopyMode.ZERO_COPY,
        ring_full=lost,
        fill_ring_empty=lost,
        dropped=lost,
    )


def finding(severity: Severity = Severity.DEGRADED, **more: str) -> Finding:
    return Finding(
        object=more.get("object", "edge"),
        reason=more.get("reason", "PartialChecksums"),
        message=more.get("message", CHECKSUM),
        severity=severity,
        interface=more.get("interface", "ens1f1"),
        rule=more.get("rule", ""),
    )


LOST = (
    loss("TargetDown", 1_204_551, rate=340.4),
    loss(
        "CpuQueueFull",
        812,
        target="cpu 3",
        hint="The queue of cpu 3 is full: it gets more frames than it can work off. Add CPUs to "
        "the rule, raise `cpus.queueSize` (up to 16384), and keep other work off cpu 3.",
    ),
)


EDGE_RULES = (
    rule(
        "edge",
        "dns",
        "CPUs",
        tuple(f"cpu {n}" for n in (2, 3, 4, 5)),
        48_120_993,
        4_331_002_331,
    ),
    rule("edge", "bots", "Drop", (), 1_204_551, 77_000_201),
    rule("edge", "uplink", "Device", ("ens1f1",), 1_834_221_094_112, 1_200_331_224_001_331, 12),
    rule(
        "edge",
        "per-vlan",
        "DeviceTable",
        (
            "vlan 200 -> veth200",
            "vlan 201 -> veth201",
            "vlan 202 -> veth202",
            "vlan 203 -> veth203",
            "vlan 204 -> veth204",
        ),
        9_412,
        1_331_002,
        3,
    ),
    rule("edge", "ssh", "Pass", (), 331, 40_112),
)
TAP_RULES = (
    rule("tap", "flood", "Broadcast", ("tap0", "tap1"), 4_410, 264_600),
    rule("tap", "rest", "DeviceGroup", ("scrub0", "scrub1"), 0, 0),
)


def busy() -> Report:
    return Report(
        objects=(
            thing("edge", findings=(finding(),), losses=LOST),
            _scrubbing(),
            thing("tap", generation=12, applied=11, interfaces=("veth-mirror",)),
        ),
        interfaces=(
            interface("ens1f0", rules=EDGE_RULES, objects=("edge", "scrubbing")),
            interface("ens1f1", rules=EDGE_RULES[:1]),
            interface("veth-mirror", rules=TAP_RULES, objects=("tap",), mode=XdpMode.GENERIC),
        ),
    )


def _scrubbing() -> ObjectReport:
    """One that another has precedence over."""
    return thing(
        "scrubbing",
        interfaces=(),
        applied=1,
        generation=1,
        conflicted=("ens1f0",),
        findings=(
            finding(
                Severity.STALLED,
                object="scrubbing",
                reason="Conflicted",
                interface="ens1f0",
                message="ens1f0 carries edge with mode Native and scrubbing "
                "wants Generic. Give both the same mode, or select other "
                "interfaces.",
            ),
        ),
    )
