"""One pass over the machine: observe, plan, act, observe again and report.

Called by `agent.loop` (again and again) and by the commands (once). A pass that fails on one
interface goes on with the others; what it could not do is in the report.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field

from xdpredirect.agent.act import Actor
from xdpredirect.agent.actions import Action
from xdpredirect.agent.away import away_findings, plan_unwanted
from xdpredirect.agent.away_file import AwayFile
from xdpredirect.agent.counters import read_counters
from xdpredirect.agent.desired import Desired, DesiredInterface, desire
from xdpredirect.agent.effective import Effective, effective
from xdpredirect.agent.findings import findings as check
from xdpredirect.agent.handed import ByAgent, Handed
from xdpredirect.agent.loss_report import incomplete, losses_of, unknown
from xdpredirect.agent.meanings import meanings_of
from xdpredirect.agent.monitor import Monitor
from xdpredirect.agent.observe import check_owner, claim, observe, release
from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.outcome import Outcome, lingering
from xdpredirect.agent.pins import Pins
from xdpredirect.agent.place import set_names
from xdpredirect.agent.plan import plan_interface
from xdpredirect.agent.preparer import Preparer
from xdpredirect.agent.readiness import own_fault
from xdpredirect.agent.renames import plan_renames
from xdpredirect.agent.report import Finding, Report
from xdpredirect.agent.socket_devices import devices_of
from xdpredirect.agent.socket_findings import socket_findings
from xdpredirect.agent.socket_grants import grants_of
from xdpredirect.agent.socket_holders import Holders
from xdpredirect.agent.store import Key, Store, Wanted, key_of
from xdpredirect.agent.summary import Found, summarise
from xdpredirect.agent.usages import usages
from xdpredirect.agent.whole_pins import WholePins
from xdpredirect.api.load import Objects
from xdpredirect.data import data_dir
from xdpredirect.datapath.source import sources_digest
from xdpredirect.errors import ForeignProgram, XdpRedirectError
from xdpredirect.host import Host
from xdpredirect.kernel.bpf import foreign_program_name
from xdpredirect.kernel.compile import Compiler
from xdpredirect.kernel.host import observe_host
from xdpredirect.settings import Settings


@dataclass(slots=True)
class _Pass:
    """What one pass gathers on its way."""

    dry_run: bool
    actions: list[object] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    defects: set[str] = field(default_factory=set)


class MachineAgent:
    """The agent of one network namespace; keeps in memory only what saves reading again.

    `handed` hands out AF_XDP sockets; a command asks whoever does.
    """

    def __init__(self, settings: Settings, handed: Handed | None = None) -> None:
        self._settings = settings
        self._handed = handed or ByAgent(settings)
        self._pins = Pins(settings.bpffs)
        files = {path.name: path.read_text() for path in data_dir("bpf").glob("*.[ch]")}
        self._sources = sources_digest(files)
        self.compiler = compiler = Compiler(settings.compiler_python, settings.state_dir / "cache")
        self._monitor = Monitor(self._pins, settings.state_dir, compiler, files)
        self._actor = Actor(
            pins=self._pins,
            compiler=compiler,
            sources=files,
            by_link=settings.attach == "link",
        )
        self.store = Store(settings.state_dir, settings.files)
        self._preparer = Preparer(settings.state_dir, self._pins)
        self._whole_pins = WholePins(self._pins)
        self._away = AwayFile(settings.state_dir)
        self._carrier_changes: dict[int, int] = {}
        self._wanted = Wanted(objects=Objects())

    def observe_report(self) -> Report:
        """How things stand; changes nothing."""
        return self._report(*self._look(), {})

    def converge(self, dry_run: bool = False) -> Outcome:
        """Make the kernel as the objects want it."""
        run = _Pass(dry_run)
        check_owner(self._pins)
        host, seen, chosen, desired = self._look()
        if desired.interfaces and not dry_run:
            claim(self._pins)
            self._monitor.ensure()
            self._monitor.fold(meanings_of(desired, seen, host), seen, host, before=True)
        if self._rename(run, host, seen):
            host, seen, chosen, desired = self._look()
        wants = usages(desired, {o.name: o for o in chosen.redirects}, self._carrier_changes)
        run.actions += self._preparer.before(wants, host, dry_run)
        for name, item in desired.interfaces.items():
            self._converge_interface(run, item, seen.interfaces.get(name), seen)
        for name, there in seen.interfaces.items():
            if name not in desired.interfaces and name not in desired.untouched:
                self._perform(run, name, plan_unwanted(there, host, chosen))
        run.actions += self._preparer.after(wants, host, dry_run)
        if not dry_run:
            host, seen, chosen, desired = self._look()
            self._record(chosen, desired, run)
            lost = self._handed.counts()
            self._monitor.keep(meanings_of(desired, seen, host), seen, host, lost, self._names())
            if not desired.interfaces and not any(i.attached_to for i in seen.interfaces.values()):
                self._monitor.remove()
            grants = grants_of(desired, seen, self._wanted.pods)
            self._handed.update(grants, devices_of(desired, seen))
            self._whole_pins.keep(grants)
            self._away.keep(desired, seen)
            if not seen.interfaces and not seen.pass_programs:
                release(self._pins)
        report = self._report(host, seen, chosen, desired, run.failures)
        return Outcome(
            report=report,
            actions=tuple(run.actions),
            failures=tuple(f"{name}: {words}" for name, words in sorted(run.failures.items())),
            documents=self._wanted.objects.documents,
            problems=self._wanted.problems,
            defects=tuple(f"{name}: {run.failures[name]}" for name in sorted(run.defects)),
            lingering=lingering(self._wanted.applied.documents, self._names(), seen),
        )

    def _names(self) -> set[str]:
        return {redirect.name for redirect in self._wanted.objects.redirects}

    def _look(self) -> tuple[Host, Observed, Effective, Desired]:
        host = observe_host(dict(self._settings.node_labels))
        seen = observe(self._pins, host, self._actor.written)
        self._wanted = self.store.read_all()
        wanted, applied = self._wanted.objects, self._wanted.applied
        chosen = effective(
            wanted.redirects,
            wanted.address_sets,
            {o.name: o for o in applied.redirects},
            {s.name: s for s in applied.address_sets},
        )
        host, seen = self._away.recall(host, seen, chosen)
        holders = Holders(self._wanted.pods or {}, self._handed.asked())
        return host, seen, chosen, desire(chosen, host, seen, self._sources, holders)

    def _rename(self, run: _Pass, host: Host, seen: Observed) -> bool:
        actions = plan_renames(seen, {link.ifindex: link.name for link in host.links})
        if actions:
            self._perform(run, "renamed interfaces", actions)
        return bool(actions) and not run.dry_run

    def _converge_interface(
        self, run: _Pass, item: DesiredInterface, there: ObservedInterface | None, seen: Observed
    ) -> None:
        link = item.wanted.link
        holder = link.xdp_prog_id
        if holder and not seen.owns(link.name, holder):
            error = ForeignProgram(link.name, holder, foreign_program_name(holder))
            run.failures[link.name] = str(error)
            return
        if there is None or not there.attached_to:
            self._carrier_changes[link.ifindex] = link.carrier_changes
        self._perform(run, link.name, plan_interface(item.wanted, item.layout, there))
        if link.name not in run.failures and not run.dry_run:
            self._actor.remember(link.name, item.layout)

    def _perform(self, run: _Pass, name: str, actions: tuple[Action, ...]) -> None:
        for action in actions:
            try:
                if not run.dry_run:
                    self._actor.perform(action)
            except XdpRedirectError as error:
                run.failures[name] = str(error)
                if own_fault(action, error):
                    run.defects.add(name)
                return
            except OSError as error:
                run.failures[name] = f"{action}: {errno.errorcode.get(error.errno or 0, error)}"
                run.defects.add(name)
                return
            run.actions.append(action)

    def _record(self, chosen: Effective, desired: Desired, run: _Pass) -> None:
        """Objects that run somewhere become the applied ones. What failed everywhere or is held,
        and the sets that it needs, stay as they were applied before."""
        documents = self._wanted.objects.documents
        interfaces = desired.interfaces.items()
        placed = [(interface, o.name) for interface, i in interfaces for o in i.wanted.objects]
        running = {name for interface, name in placed if interface not in run.failures}
        failed = {name for _, name in placed} - running
        held = failed | chosen.held
        needed = {n for o in chosen.redirects if o.name in held for n in set_names(o)}
        skip = {Key("XdpRedirect", n) for n in held} | {Key("XdpAddressSet", n) for n in needed}
        self.store.mark_applied(d for d in documents if key_of(d) not in skip)
        if not run.failures:
            there = {key_of(d) for d in documents}
            in_use = {Key("XdpAddressSet", n) for o in chosen.redirects for n in set_names(o)}
            gone = {key_of(d) for d in self.store.applied().documents} - there - in_use
            self.store.forget_applied(gone)

    def _report(
        self,
        host: Host,
        seen: Observed,
        chosen: Effective,
        desired: Desired,
        failures: Mapping[str, str],
    ) -> Report:
        wanted = self._wanted.objects.redirects
        applied = {o.name: o.generation for o in self.store.applied().redirects}
        wants = usages(desired, {o.name: o for o in chosen.redirects}, self._carrier_changes)
        found: list[Finding] = [
            *chosen.findings,
            *desired.findings,
            *check(wants, host),
            *self._preparer.findings(wants),
            *socket_findings(wanted, self._wanted.pods, desired, self._handed.problem),
            *away_findings(desired, seen, chosen),
            *self._whole_pins.findings(grants_of(desired, seen, self._wanted.pods)),
        ]
        if not self._monitor.there():
            found += unknown((o.name for o in wanted), seen, self._monitor.problem)
        ledger = self._monitor.fold(meanings_of(desired, seen, host), seen, host)
        found += incomplete((o.name for o in wanted), ledger)
        counters = {
            name: read_counters(self._pins, name, item.layout.slots.values())
            for name, item in desired.interfaces.items()
        }
        return summarise(
            Found(
                redirects=wanted,
                applied=applied,
                desired=desired,
                observed=seen,
                host=host,
                findings=found,
                counters=counters,
                failures=failures,
                losses=losses_of(ledger),
                sockets=self._handed.sockets(),
            )
        )
