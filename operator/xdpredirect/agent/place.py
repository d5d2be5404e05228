"""One object on one interface: what its device names, CPUs and address sets stand for there.

Pure; called by `agent.resolve`. Names that stand for nothing become findings; the rule stays, and
its frames take `onMiss`.
"""

from collections.abc import Iterable, Mapping

from xdpredirect.agent.report import Finding, Severity
from xdpredirect.agent.select import choose_cpus, links_of, named
from xdpredirect.api.action import (
    Broadcast,
    CPUs,
    CPUTable,
    DeviceGroup,
    DeviceTable,
    Sockets,
    ToDevice,
)
from xdpredirect.api.match import Prefix
from xdpredirect.api.redirect import Rule, XdpAddressSet, XdpRedirect
from xdpredirect.datapath.wanted import PlacedObject, PlacedRule, Target
from xdpredirect.host import Host, Link

Sets = Mapping[str, XdpAddressSet]


class Placer:
    """Places objects and gathers findings on the way."""

    def __init__(self, sets: Sets, host: Host, own_sets: Mapping[str, Sets] | None = None) -> None:
        self._common, self._host, self._own = sets, host, own_sets or {}
        self._sets = sets
        self._findings: list[Finding] = []

    def take_findings(self) -> list[Finding]:
        """Findings since the last call."""
        found, self._findings = self._findings, []
        return found

    def place(self, redirect: XdpRedirect, link: Link) -> PlacedObject:
        """The object's rules for this interface. Its address sets must be known."""
        self._sets = self._own.get(redirect.name, self._common)
        rules = tuple(
            self._rule(redirect, rule, link)
            for rule in redirect.spec.rules
            if not rule.match.interfaces or named(link, rule.match.interfaces)
        )
        spec = redirect.spec
        return PlacedObject(
            name=redirect.name,
            generation=redirect.generation,
            protect=spec.protect,
            rules=rules,
        )

    def _rule(self, redirect: XdpRedirect, rule: Rule, link: Link) -> PlacedRule:
        action = rule.action
        cpus: tuple[int, ...] = ()
        if isinstance(action, CPUs):
            cpus = choose_cpus(action, link, self._host)
            if not cpus:
                self._findings.append(
                    Finding(
                        object=redirect.name,
                        reason="NoCpu",
                        message=f"rule {rule.name} finds no CPU on this machine; widen cpus.set or "
                        "cpus.auto",
                        interface=link.name,
                        severity=Severity.STALLED,
                        rule=rule.name,
                    )
                )
        groups = None
        if isinstance(action, DeviceTable | CPUTable) and action.address_set:
            groups = dict(self._sets[action.address_set].groups)
            for name in sorted({str(e.key) for e in action.entries} - groups.keys()):
                self._findings.append(
                    Finding(
                        object=redirect.name,
                        reason="GroupMissing",
                        message=f"XdpAddressSet {action.address_set} has no group {name}; add it, "
                        f"or remove the entry from rule {rule.name}",
                        interface=link.name,
                        rule=rule.name,
                    )
                )
        return PlacedRule(
            rule=rule,
            devices={name: self._targets(redirect, name) for name in device_names(rule)},
            cpus=cpus,
            source=self._members(rule.match.source_address_sets),
            destination=self._members(rule.match.destination_address_sets),
            groups=groups,
            users=self._users(redirect, rule, link),
        )

    def _users(self, redirect: XdpRedirect, rule: Rule, link: Link) -> frozenset[int]:
        """Numbers of the users who may take sockets."""
        action = rule.action
        if not isinstance(action, Sockets):
            return frozenset()
        numbers = {int(user) for user in action.users if user.isdecimal()}
        for name in (user for user in action.users if not user.isdecimal()):
            if name in self._host.users:
                numbers.add(self._host.users[name])
                continue
            self._findings.append(
                Finding(
                    object=redirect.name,
                    reason="UserMissing",
                    message=f"rule {rule.name} hands sockets to user {name}, whom nobody knows "
                    "where the agent runs; write the user's number",
                    interface=link.name,
                    severity=Severity.DEGRADED,
                    rule=rule.name,
                )
            )
        return frozenset(numbers)

    def _members(self, names: Iterable[str]) -> tuple[Prefix, ...]:
        sets = [self._sets[name].prefixes for name in names]
        return sets[0] if len(sets) == 1 else tuple(p for prefixes in sets for p in prefixes)

    def _targets(self, redirect: XdpRedirect, name: str) -> tuple[Target, ...]:
        """Never empty: a device that the machine lacks is a target without a link."""
        entry = next((d for d in redirect.spec.devices if d.name == name), None)
        rewrite = entry.rewrite if entry else None
        links: tuple[Link, ...] = ()
        if entry and entry.select:
            for term in entry.select:
                links = links_of((term,), self._host)
                if links:
                    break
        else:
            links = tuple(
                link
                for link in sorted(self._host.links, key=lambda link: link.ifindex)
                if name == link.name or name in link.alt_names
            )[:1]
        if not links:
            return (Target(name=name, link=None, rewrite=rewrite),)
        return tuple(Target(name=name, link=link, rewrite=rewrite) for link in links)


def device_names(rule: Rule) -> tuple[str, ...]:
    """Names of the devices that a rule sends to, each once."""
    match rule.action:
        case ToDevice(name=name):
            return (name,)
        case DeviceGroup(members=members):
            return tuple(dict.fromkeys(member.name for member in members))
        case DeviceTable(entries=entries):
            return tuple(dict.fromkeys(entry.device for entry in entries))
        case Broadcast(devices=devices):
            return devices
        case CPUs(then=then) if then.device is not None:
            return (then.device,)
        case _:
            return ()


def set_names(redirect: XdpRedirect) -> set[str]:
    """Names of the address sets that an object needs."""
    names: set[str] = set()
    for rule in redirect.spec.rules:
        names |= {*rule.match.source_address_sets, *rule.match.destination_address_sets}
        if isinstance(rule.action, DeviceTable | CPUTable) and rule.action.address_set:
            names.add(rule.action.address_set)
    return names
