"""What the product says about every way to lose a frame that is made for real.

One entry for each row of test_losses_*.py, by name; tests/kernel/explained.py holds the rows to it,
and docs/drop-conformance.md shows it (tests/unit/test_conformance.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Why:
    """`seen` are the events and errnos, `ours` the reasons for a rule of ours (none: its own
    counters show it, or it is counted elsewhere), `says` a part of the hint. `foreign` are the
    reasons for a program of others where they differ: no event names the program in their DEVMAP,
    and those of CPUMAPs name no namespace."""

    seen: str
    ours: tuple[str, ...]
    says: str
    foreign: tuple[str, ...] | None = None
    broadcast: bool = False
    tx: bool = False
    egress: bool = False

    @property
    def others(self) -> tuple[str, ...]:
        """The reasons for a program that is not ours."""
        return self.ours if self.foreign is None else self.foreign


ERR, XMIT = "xdp_redirect_err", "xdp_devmap_xmit"
_ABORTED = Why("xdp_exception", (), "`bpftool net show dev p1`", ("ProgramAborted",))
_GONE = Why(f"{ERR} EINVAL", ("DeviceGone",), "`ip link`")
_DOWN = Why(f"{ERR} ENETDOWN", ("TargetDown",), "`ip link set p2 up`")
_TOO_BIG = Why(f"{ERR} EMSGSIZE", ("FrameTooBig",), "`ip link set p2 mtu 3000`")
REFUSED = {
    "veth: key absent, flags 0": _ABORTED,
    "generic: key absent, flags 0": _ABORTED,
    "veth: BROADCAST on a CPUMAP": _ABORTED,
    "veth: bpf_redirect() with flags": _ABORTED,
    "veth: a verdict that does not exist": Why(
        "xdp_exception", (), "`bpftool net show dev p1`", ("UnknownVerdict",)
    ),
    "veth: XDP_REDIRECT without a helper": Why(
        f"{ERR} EBADRQC", ("NoTarget",), "`bpftool net show dev p1`"
    ),
    "veth: bpf_redirect() to a device that is gone": _GONE,
    "generic: bpf_redirect() to a device that is gone": _GONE,
    "veth: target veth without GRO or program at its peer": Why(
        f"{ERR} EOPNOTSUPP", ("TargetCannotTransmit",), "`ethtool -K <peer> gro on`"
    ),
    "veth: target lo has no ndo_xdp_xmit": Why(
        f"{ERR} EOPNOTSUPP", ("TargetCannotTransmit",), "`mode: Generic`"
    ),
    "veth: target down": _DOWN,
    "veth: target down, DEVMAP_HASH": _DOWN,
    "veth: target down, bpf_redirect()": _DOWN,
    "generic: target down": _DOWN,
    "veth: frame above the MTU of the target": _TOO_BIG,
    "generic: frame above the MTU of the target": _TOO_BIG,
    "veth: multi-buffer frame to a target without NDO_XMIT_SG": Why(
        f"{ERR} EOPNOTSUPP", ("TargetCannotTakeFragments",), "`ip link set p1 mtu 3498`"
    ),
    "veth: broadcast of a multi-buffer frame": Why(
        f"{ERR} EOPNOTSUPP", ("BroadcastOfFragments",), "`ip link set p1 mtu 3498`", broadcast=True
    ),
    "veth: EXCLUDE_INGRESS with more than eight devices on top of the ingress": Why(
        f"{ERR} EOVERFLOW", ("TooManyUpperDevices",), "`ingressDevice: Include`", broadcast=True
    ),
}
_WRONG_QUEUE = Why(f"{ERR} EINVAL", ("SocketWrongQueue",), "`ethtool -N p1 ...`")
SOCKETS = {
    "socket not bound": Why(f"{ERR} ENXIO", ("SocketNotBound",), "`ss --xdp -p`"),
    "socket of another queue": _WRONG_QUEUE,
    "socket of another device": _WRONG_QUEUE,
    "receive ring full": Why(f"{ERR} ENOBUFS", ("SocketRingFull",), "`ss --xdp -p`"),
    "fill ring empty": Why(f"{ERR} ENOMEM", ("SocketFillRingEmpty",), "refill the fill ring"),
    "frame longer than a chunk": Why(
        f"{ERR} ENOSPC", ("FrameTooBigForSocket",), "`ip link set p1 mtu N`"
    ),
}
_PEER = Why(XMIT, ("PeerRefused",), "`ip link set <peer> mtu 1500`")
_EGRESS = Why(XMIT, ("EgressProgramFailed",), "`mode: Generic`", ("PeerRefused",), egress=True)
_PROGRAM = Why("xdp_cpumap_kthread", ("CpuProgramDropped",), "On cpu 1 ", ())
FLUSHED = {
    "veth: peer of the target down": Why(f"{XMIT} ENXIO", ("PeerDown",), "`ip link set <peer> up`"),
    "veth: MTU of the target's peer smaller": _PEER,
    "veth: ring of the target's peer full": _PEER,
    "veth: MTU of the target's peer smaller, peer here": Why(
        XMIT, ("PeerMtuSmaller",), "`ip link set far2 mtu 1500`"
    ),
    "veth: ring of the target's peer full, peer here": Why(
        XMIT, ("PeerRingFull",), "`ethtool -L far2 rx N`"
    ),
    "tap: target without a reader": Why(
        f"{XMIT} ENXIO", ("TapWithoutReader",), "`ip -details link show tap0`"
    ),
    "tap: reader of the target too slow": Why(
        XMIT, ("TapReaderSlow",), "`ip link set tap0 txqueuelen 10000`"
    ),
    "veth: egress program drops": _EGRESS,
    "veth: egress program ABORTED": Why(
        f"{XMIT}, xdp_exception",
        ("ProgramAborted", "EgressProgramFailed"),
        "`mode: Generic`",
        ("PeerRefused", "ProgramAborted"),
        egress=True,
    ),
    "veth: egress program REDIRECT": Why(
        f"{XMIT}, xdp_exception",
        ("EgressProgramFailed",),
        "`mode: Generic`",
        ("PeerRefused",),
        egress=True,
    ),
    "veth: two egress programs, the dropping one first": _EGRESS,
    "veth: two egress programs, the dropping one second": Why("", (), ""),
    "generic: transmit queue of the target stopped": Why(
        "xdp_exception", ("TransmitQueueStopped",), "`ethtool -G p2 tx 4096`"
    ),
    "veth: XDP_TX without receiver": Why(
        "xdp_bulk_tx ENXIO", ("TargetCannotTransmit",), "`ethtool -K <peer> gro on`", tx=True
    ),
}
TO_CPUS = {
    "veth: CPU queue full": Why("xdp_cpumap_enqueue", ("CpuQueueFull",), "cpu 1", ()),
    "generic: CPU queue full": Why(
        f"xdp_cpumap_enqueue, {ERR} ENOSPC", ("CpuQueueFull",), "`cpus.queueSize`"
    ),
    "veth: CPUMAP program drops": _PROGRAM,
    "veth: CPUMAP program ABORTED": _PROGRAM,
}
SILENT = {
    "veth: key absent, XDP_DROP in the flags": "NoEntry",
    "veth: key absent, XDP_PASS in the flags": "",
    "veth: broadcast to an empty map": "BroadcastWithoutMember",
    "veth: broadcast to the ingress only, which is excluded": "BroadcastWithoutMember",
    "veth: broadcast to members that are down": "BroadcastWithoutMember",
    "generic: redirect to lo": "",
}
"""The reason that a rule's own counter of misses makes; empty where no frame is lost, or none that
the datapath can know of."""


def table(rows: Mapping[str, Why]) -> str:
    """Rows as docs/drop-conformance.md has them."""
    lines = ["| mode and cause | seen in | reason | of other programs |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {why.seen or 'nothing'} | {_listed(why.ours)} | {_listed(why.others)} |"
        for name, why in rows.items()
    ]
    return "\n".join(lines) + "\n"


def silent_table() -> str:
    """SILENT as docs/drop-conformance.md has it."""
    lines = ["| mode and cause | reason |", "|---|---|"]
    lines += [f"| {name} | {reason or '-'} |" for name, reason in SILENT.items()]
    return "\n".join(lines) + "\n"


def _listed(reasons: tuple[str, ...]) -> str:
    return ", ".join(reasons) or "-"
