"""How one object uses one interface: what the checks of this package look at.

Filled by the agent's resolver from objects and host; pure values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xdpredirect.agent.report import Finding, Severity
from xdpredirect.host import Host, Link, XdpMode

# The largest MTU whose frames fit one 4 KiB page beside 256 octets of headroom, 320 of
# skb_shared_info and 22 of Ethernet header with two tags; longer ones arrive in several buffers.
ONE_BUFFER = 4096 - 256 - 320 - 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One device or CPU that a rule sends to. `name` is as written in the object; `link` is None
    for CPUs and for a device that is not there. `cpu` is set for CPUs only."""

    rule: str
    kind: Literal["device", "broadcast", "cpu"]
    name: str
    link: Link | None = None
    cpu: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One object on one selected interface.

    `mode` is the effective mode, or the wanted one before the attach. `redirects`: some rule sends
    to a device or a CPU. `wire`: `protect` is None and a catch-all goes to a device. `tx`: some
    rule has the action TX. `matches_vlan`: some rule matches or is keyed by VLAN tags. `frags`:
    the program takes frames in several buffers. `carrier_changes_before` is IFLA_CARRIER_CHANGES
    just before this agent attached, None when it did not attach in this run. `prepare`: the object
    says `prepare: Apply`. `stack_by_cpu`: rules whose frames the stack takes on another CPU.
    `auto`: the object left the choice of the mode to the agent.
    """

    object: str
    interface: Link
    mode: XdpMode
    redirects: bool = False
    wire: bool = False
    tx: bool = False
    matches_vlan: bool = False
    frags: bool = False
    targets: tuple[Target, ...] = ()
    carrier_changes_before: int | None = None
    prepare: bool = False
    stack_by_cpu: tuple[str, ...] = ()
    auto: bool = False

    def finding(self, reason: str, severity: Severity, message: str) -> Finding:
        """A finding about the interface itself."""
        return Finding(
            object=self.object,
            reason=reason,
            severity=severity,
            message=message,
            interface=self.interface.name,
        )

    def rule_finding(self, reason: str, severity: Severity, rule: str, message: str) -> Finding:
        """A finding about one rule."""
        return replace(self.finding(reason, severity, message), rule=rule)

    def unusable(self, reason: str, targets: Sequence[Target], message: str) -> Finding:
        """A finding about targets of one rule that get no frame at all; Stalled when the rule has
        no other ones."""
        rule = targets[0].rule
        left = [t for t in self.targets if t.rule == rule and t not in targets]
        severity = Severity.DEGRADED if left else Severity.STALLED
        return self.rule_finding(reason, severity, rule, message)


def peer_of(link: Link, host: Host) -> Link | None:
    """The other end of a veth, when it is in this network namespace."""
    return host.link(link.lower) if link.kind == "veth" and link.lower_here else None
