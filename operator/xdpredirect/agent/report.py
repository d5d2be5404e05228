"""What one pass of the agent says about the machine; status, CLI and metrics are made from it.

Written by `agent.loop.converge` and `agent.loop.observe_report`; pure values.
"""

from dataclasses import dataclass
from enum import StrEnum

from xdpredirect.host import XdpMode
from xdpredirect.xsk.grants import CopyMode


class Severity(StrEnum):
    """Stalled: the object cannot work as written. Degraded: it works, but frames are at risk."""

    INFO = "Info"
    DEGRADED = "Degraded"
    STALLED = "Stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know about an object here. `reason` is CamelCase, `message` names cause and
    fix in one or two sentences. `interface` and `rule` are empty where they do not apply."""

    object: str
    reason: str
    message: str
    severity: Severity = Severity.DEGRADED
    interface: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCounters:
    """Sums over CPUs; they never go back while the interface carries the rule.

    `packets` and `octets` count matched frames. `misses` are those of them for which the map held
    no entry; `errors` those that could not be rewritten and were dropped for it.
    """

    packets: int = 0
    octets: int = 0
    misses: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Frames that were redirected and did not arrive, of one cause. `reason` is a name out of
    reasons.py; `errno` the kernel's name of the error, or empty. `rule` is empty where the kernel
    does not tell rules apart, `target` names the device, CPU or socket. `rate` is in frames a
    second since the pass before; `since` is RFC 3339. `hint` says cause and fix."""

    object: str
    rule: str
    reason: str
    errno: str
    interface: str
    target: str
    packets: int
    rate: float
    since: str
    hint: str


class SocketState(StrEnum):
    """Held: frames go there. Releasing: the client was told to close it, or has given it up, and
    nobody else can have the queue until it is closed."""

    HELD = "Held"
    RELEASING = "Releasing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketReport:
    """An AF_XDP socket of one queue, handed out for one rule; a socket may serve several rules.

    `pid` and `user` are of the process that took it, `pod` the UID of its pod, empty for one of the
    host. `mode` is how frames come into its memory. The counts are the kernel's XDP_STATISTICS of
    this socket, 0 while Releasing: frames for which the receive ring was full, attempts that found
    the fill ring empty, and frames dropped for other reasons.
    """

    rule: str
    interface: str
    queue: int
    state: SocketState
    pid: int
    user: int
    pod: str
    mode: CopyMode
    ring_full: int = 0
    fill_ring_empty: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule on one interface. `action` is its type, `targets` what it resolved to here, in
    words such as `veth1`, `cpu 2`, `vlan 200 -> veth200`."""

    object: str
    rule: str
    action: str
    targets: tuple[str, ...]
    counters: RuleCounters


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceReport:
    """One interface that carries, or should carry, a program of ours.

    One that is `away` was moved to another network namespace, where its program runs and `ifindex`
    is its number. `mode` is the effective one (XdpMode.NONE: nothing of ours is attached). `error`
    is empty when the wanted program runs. `unmatched` counts frames that no rule took, `protected`
    those that `protect` kept from the rules, `malformed` those cut off inside a header.
    """

    name: str
    ifindex: int
    driver: str
    mode: XdpMode
    frags: bool
    program_id: int
    program: str
    objects: tuple[str, ...]
    error: str
    rules: tuple[RuleReport, ...]
    unmatched: RuleCounters
    protected: RuleCounters
    malformed: RuleCounters
    away: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReport:
    """One object on this machine. `selected` says whether nodeSelector matches; `interfaces` names
    those that carry it as wanted, `conflicted` those where another object forbids it, `failed`
    those where acting failed. `applied_generation` is the one that the datapath runs, 0 for none.
    """

    name: str
    generation: int
    applied_generation: int
    state: str
    selected: bool
    interfaces: tuple[str, ...]
    conflicted: tuple[str, ...]
    failed: tuple[str, ...]
    findings: tuple[Finding, ...]
    losses: tuple[Loss, ...] = ()
    sockets: tuple[SocketReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything, sorted by name; losses by packets. `shared` are losses on their way from an
    interface of ours to a target that rules of several objects lead to, or of causes that the drop
    monitor had no room for; `foreign` are those of programs that are not ours."""

    objects: tuple[ObjectReport, ...]
    interfaces: tuple[InterfaceReport, ...]
    foreign: tuple[Loss, ...] = ()
    shared: tuple[Loss, ...] = ()
