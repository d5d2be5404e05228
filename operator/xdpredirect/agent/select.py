"""Which links and CPUs an object means on this machine. Pure; called by `agent.resolve`."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from xdpredirect.api.action import AutoCPUs, Avoid, CPUs
from xdpredirect.api.redirect import InterfaceTerm
from xdpredirect.host import Cpu, Host, Link


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    text = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
    return re.compile(text, re.DOTALL)


def named(link: Link, globs: Iterable[str]) -> bool:
    """Whether the link's name or one of its altnames matches one of the globs (* and ? only)."""
    names = (link.name, *link.alt_names)
    return any(_pattern(glob).fullmatch(name) for glob in globs for name in names)


def selects_link(term: InterfaceTerm, link: Link) -> bool:
    """Whether a term means this link: fields ANDed, items ORed."""
    return (
        (not term.names or named(link, term.names))
        and not named(link, term.exclude_names)
        and (not term.drivers or link.driver in term.drivers)
        and (not term.pci_addresses or link.pci_address in term.pci_addresses)
        and (
            not term.mac_addresses
            or link.permanent_mac in term.mac_addresses
            or (not link.permanent_mac and link.mac in term.mac_addresses)
        )
    )


def links_of(terms: Sequence[InterfaceTerm], host: Host) -> tuple[Link, ...]:
    """Links that any term means, by ifindex."""
    return tuple(
        link
        for link in sorted(host.links, key=lambda link: link.ifindex)
        if any(selects_link(term, link) for term in terms)
    )


def choose_cpus(action: CPUs, link: Link, host: Host) -> tuple[int, ...]:
    """CPUs of a spread on this machine: the given set as far as it exists, or the chosen ones."""
    if action.auto is None:
        online = {cpu.id for cpu in host.cpus}
        highest = max(online, default=-1)
        return tuple(
            cpu
            for cpu in sorted({c for r in action.set for c in range(r.first, r.last + 1)})
            if cpu <= highest
        )
    return _automatic(action.auto, link, host)


def _automatic(auto: AutoCPUs, link: Link, host: Host) -> tuple[int, ...]:
    taken_cores: set[tuple[int, ...]] = set()
    chosen: list[int] = []
    for cpu in sorted(host.cpus, key=lambda cpu: cpu.id):
        core = cpu.siblings or (cpu.id,)
        if not _avoided(cpu, auto, link) and not (
            Avoid.SIBLINGS in auto.avoid and core in taken_cores
        ):
            taken_cores.add(core)
            chosen.append(cpu.id)
    return tuple(chosen[: auto.count])


def _avoided(cpu: Cpu, auto: AutoCPUs, link: Link) -> bool:
    return (
        (Avoid.IRQ in auto.avoid and cpu.id in link.irq_cpus)
        or (Avoid.ISOLATED in auto.avoid and cpu.isolated)
        or (Avoid.EXCLUSIVE in auto.avoid and cpu.exclusive)
        or (auto.numa_ingress and link.numa_node >= 0 and cpu.numa_node != link.numa_node)
    )
