"""CPUs that frames are sent to, and the transmit queues that CPUs send through.

Called by `findings`; `free_cpus` also serves whoever has to choose CPUs.
"""

from collections.abc import Iterable, Iterator

from xdpredirect.agent.findings.usage import Target, Usage
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.host import Host, Link, XdpMode

# Their ndo_xdp_xmit takes the queue with the number of the CPU and fails where there is none;
# others share queues (veth, virtio, ena, bnxt, ...) or make one per CPU (ice, ixgbe).
QUEUE_PER_CPU_DRIVERS = frozenset({"i40e", "mlx5_core"})


def check_cpus(usage: Usage, host: Host) -> Iterator[Finding]:
    """CpuOffline and CpuClash, once a rule."""
    online = {cpu.id for cpu in host.cpus}
    by_rule: dict[str, list[Target]] = {}
    for target in usage.targets:
        if target.kind == "cpu" and target.cpu is not None:
            by_rule.setdefault(target.rule, []).append(target)
    for rule, targets in sorted(by_rule.items()):
        offline = [target for target in targets if target.cpu not in online]
        if offline:
            yield usage.unusable(
                "CpuOffline",
                offline,
                f"This machine has no CPU {_list(t.cpu for t in offline)} online (it has "
                f"{_list(online)}). Use CPUs that are online, or `auto`.",
            )
        yield from _clash(usage, rule, {t.cpu for t in targets if t.cpu in online}, host)


def check_channels(usage: Usage, host: Host) -> Iterator[Finding]:
    """FewerTxChannelsThanCPUs, once a rule and device."""
    if usage.mode is not XdpMode.NATIVE:
        return
    for target in usage.targets:
        link = target.link
        if target.kind == "cpu" or link is None or link.driver not in QUEUE_PER_CPU_DRIVERS:
            continue
        highest = max(_sending_cpus(usage, target.rule, host), default=0)
        if highest >= link.tx_channels:
            yield usage.rule_finding(
                "FewerTxChannelsThanCPUs",
                Severity.DEGRADED,
                target.rule,
                f"{link.name} has {link.tx_channels} transmit channels, but CPU {highest} sends "
                "through it and needs one of its own number. Run "
                f"`ethtool -L {link.name} combined {highest + 1}`, or move the interrupts of "
                f"{usage.interface.name} and the rule's CPUs below {link.tx_channels}.",
            )


def check_generic(usage: Usage, host: Host) -> Iterator[Finding]:
    """GenericCpuStack, once a rule. skb_cow_data_for_xdp (net/core/skbuff.c, Linux 6.9) makes a
    buffer without `mac_len`, by which cpu_map_generic_redirect finds the IP header."""
    if usage.mode is not XdpMode.GENERIC or host.kernel < (6, 9):
        return
    for rule in usage.stack_by_cpu:
        yield usage.rule_finding(
            "GenericCpuStack",
            Severity.DEGRADED,
            rule,
            f"Frames of {usage.interface.name} that generic XDP sends to a CPU reach the network "
            "stack without their header on kernels from 6.9 on, and it drops them "
            "(`nstat IpInHdrErrors`). Use `mode: Native`, or let the CPU send them to a device.",
        )


def free_cpus(ingress: Link, host: Host) -> tuple[int, ...]:
    """CPUs that take frames of `ingress` without disturbing anybody, sorted: online, not isolated,
    not given to a container, not busy with the interface's interrupts, near the device. Where
    nothing is left the last two wishes are dropped, the last first."""
    allowed = {cpu.id for cpu in host.cpus if not cpu.isolated and not cpu.exclusive}
    near = {c.id for c in host.cpus if ingress.numa_node < 0 or c.numa_node == ingress.numa_node}
    quiet = allowed - set(ingress.irq_cpus)
    return tuple(sorted(quiet & near or quiet or allowed))


def _clash(usage: Usage, rule: str, chosen: set[int | None], host: Host) -> Iterator[Finding]:
    ingress = usage.interface
    free = set(free_cpus(ingress, host))
    by_id = {cpu.id: cpu for cpu in host.cpus}
    reasons = []
    for title, clashing in (
        (f"take the interrupts of {ingress.name}", set(ingress.irq_cpus)),
        ("are isolated", {cpu.id for cpu in host.cpus if cpu.isolated}),
        ("belong to a container alone", {cpu.id for cpu in host.cpus if cpu.exclusive}),
        (
            f"are far from {ingress.name} (NUMA node {ingress.numa_node})",
            {c for c in by_id if ingress.numa_node not in (-1, by_id[c].numa_node)},
        ),
    ):
        # What the best choice has in common with this one is no reason to complain.
        hit = sorted(cpu for cpu in chosen if cpu in clashing and cpu not in free)
        if hit:
            reasons.append(f"{_list(hit)} {title}")
    if reasons:
        yield usage.rule_finding(
            "CpuClash",
            Severity.DEGRADED,
            rule,
            f"Of the CPUs of this rule, {'; '.join(reasons)}. "
            + (f"Use {_list(free)}." if free else "No other CPU is free."),
        )


def _sending_cpus(usage: Usage, rule: str, host: Host) -> set[int]:
    """CPUs that send the frames of a rule: those of its CPUMAP, else those that receive. Without
    interrupts of its own the interface may receive on any."""
    chosen = {t.cpu for t in usage.targets if t.rule == rule and t.cpu is not None}
    return chosen or set(usage.interface.irq_cpus) or {cpu.id for cpu in host.cpus}


def _list(cpus: Iterable[int | None]) -> str:
    """`0-3,8`."""
    numbers = sorted(cpu for cpu in cpus if cpu is not None)
    parts: list[list[int]] = []
    for cpu in numbers:
        if parts and cpu == parts[-1][-1] + 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
