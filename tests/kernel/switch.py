"""A host under test with a wire at each port, objects applied to it, and what comes out where.

Called by test_actions_*.py. Objects go the whole way: text, `api.load`, the store and the agent's
own pass inside the host's network namespace.

    with switch(lab, "Native", ("in", "p1")) as s:
        s.apply(redirect(rule("r", "{all: true}", "{type: Device, device: {name: p1}}")))
        s.deliver([udp(53)] * 9, p1=9)
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from scapy.layers.inet import UDP
from scapy.packet import Packet as Layers

from tests.kernel.bytecode import XDP_PASS, attached, verdict
from tests.kernel.lab import Counter, Host, Lab, Port
from tests.kernel.loaded import CACHE
from tests.spec.frames import Tag, ethernet, ip4
from xdpredirect.agent.handed import ByAgent
from xdpredirect.agent.lock import hold
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.report import InterfaceReport, RuleCounters
from xdpredirect.api.load import load_text
from xdpredirect.dra.devices import Device
from xdpredirect.host import XdpMode
from xdpredirect.settings import Settings
from xdpredirect.xsk.grants import Grant

INGRESS, STACK = "in", "stack"
CATCH_ALL = "{all: true}"

both_modes = pytest.mark.parametrize("mode", ["Native", "Generic"])


class Granted(ByAgent):
    """Hands out nothing. `grants` are those of the last pass."""

    grants: tuple[Grant, ...] = ()

    def update(self, grants: Collection[Grant], _devices: Collection[Device]) -> None:
        self.grants = tuple(grants)


@dataclass(slots=True)
class Switch:
    """`near` are the ports of the host under test `dut`, `far` the other ends, by name."""

    dut: Host
    mode: str
    near: Mapping[str, Port]
    far: Mapping[str, Port]
    agent: MachineAgent
    settings: Settings
    handed: Granted

    def apply(self, *documents: str) -> Outcome:
        """Makes these the wanted objects, beside those applied before, and converges.

        A failed action and an interface in another mode than asked for fail the test.
        """
        text = "\n---\n".join(documents).replace("MODE", self.mode)
        self.agent.store.put(load_text(text, "test").documents)
        return self.converge()

    def converge(self) -> Outcome:
        """One pass of the agent, as after a change that netlink announced.

        Also holds the agent to its word: a pass after it has nothing left to do.
        """
        with self.dut.enter():
            outcome = self.agent.converge()
            again = self.agent.converge(dry_run=True).actions
        assert not outcome.failures, outcome.failures
        assert not again, f"a second pass would still {[str(action) for action in again]}"
        assert {i.mode for i in outcome.report.interfaces} <= {XdpMode(self.mode)}
        return outcome

    def fresh(self) -> MachineAgent:
        """An agent that knows only what is in the kernel and on disk, as after a restart."""
        return MachineAgent(self.settings, self.handed)

    def interface(self, name: str = INGRESS) -> InterfaceReport:
        """What the agent reports about an interface now."""
        with self.dut.enter():
            report = self.agent.observe_report()
        return next(i for i in report.interfaces if i.name == name)

    def counted(self, rule: str, interface: str = INGRESS) -> RuleCounters:
        """Counters of a rule now."""
        rules = self.interface(interface).rules
        return next(r.counters for r in rules if r.rule == rule)

    def deliver(self, frames: Sequence[bytes], /, **expected: int) -> dict[str, list[bytes]]:
        """Sends frames into `in` and waits until exactly `expected` came out, and no others.

        Keys are ports (`in` for frames that came back) and "stack" for frames that the network
        stack of the host got from `in`. Returns the frames of each.
        """
        with contextlib.ExitStack() as stack:
            counters = self._counters(stack)
            self.far[INGRESS].send(frames)
            for name, counter in counters.items():
                counter.wait(expected.get(name, 0))
            for counter in counters.values():
                counter.settled(0.05)
        arrived = {name: counter.frames for name, counter in counters.items() if counter.frames}
        found = {name: len(frames) for name, frames in arrived.items()}
        wanted = {name: n for name, n in expected.items() if n}
        assert found == wanted, f"{found} frames arrived, not {wanted}"
        return arrived

    def _counters(self, stack: contextlib.ExitStack) -> dict[str, Counter]:
        counters = {name: stack.enter_context(far.counter()) for name, far in self.far.items()}
        counters[STACK] = stack.enter_context(self.near[INGRESS].counter())
        return counters


@contextlib.contextmanager
def switch(
    lab: Lab,
    mode: str,
    ports: Sequence[str] = (INGRESS, "p1", "p2"),
    *,
    mtu: int = 1500,
    queues: int = 1,
    ipv6: bool = False,
) -> Iterator[Switch]:
    """A host `dut` whose ports lead to one host `far`, under the same names."""
    dut = lab.host("dut", ipv6=ipv6)
    lab.host("far", ipv6=ipv6)
    wires = {name: lab.veth(("dut", name), ("far", name), mtu=mtu, queues=queues) for name in ports}
    settings = Settings(
        bpffs=dut.bpffs / "xdpredirect",
        state_dir=dut.state_dir,
        files=dut.state_dir / "objects",
    )
    # Compiled programs are shared between tests: they are addressed by content.
    CACHE.mkdir(mode=0o700, exist_ok=True)
    (dut.state_dir / "cache").symlink_to(CACHE)
    handed = Granted(settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(settings.state_dir, settings.bpffs))
        for _, end in wires.values():
            # A veth sends XDP_TX frames only to a peer that runs a program.
            stack.enter_context(attached(end, verdict(XDP_PASS), frags=True))
        yield Switch(
            dut=dut,
            mode=mode,
            near={name: ends[0] for name, ends in wires.items()},
            far={name: ends[1] for name, ends in wires.items()},
            agent=MachineAgent(settings, handed),
            settings=settings,
            handed=handed,
        )


def redirect(*rules: str, name: object = "o", **spec: object) -> str:
    """An XdpRedirect as text, on interface `in` and without protection unless `spec` says so."""
    fields: dict[str, object] = {
        "nodeSelector": "{}",
        "interfaces": f"[{{names: [{INGRESS}]}}]",
        "mode": "MODE",
        "protect": '"None"',
        **spec,
    }
    lines = [
        "apiVersion: xdpredirect.io/v1alpha1",
        "kind: XdpRedirect",
        f"metadata: {{name: {name}}}",
        "spec:",
        *(f"  {key}: {value}" for key, value in fields.items()),
        "  rules:",
        *(f"  - {text}" for text in rules),
    ]
    return "\n".join(lines)


def rule(name: str, match: str, action: str) -> str:
    """One rule of an object, in YAML's flow style."""
    return f"{{name: {name}, match: {match}, action: {action}}}"


def to_port(number: int) -> str:
    """The match of UDP datagrams to that port."""
    return f"{{protocols: [UDP], destinationPorts: [{{port: {number}}}]}}"


def address_set(name: str, **groups: Sequence[str]) -> str:
    """An XdpAddressSet of named groups, as text."""
    listed = ", ".join(f"{{name: {g}, cidrs: {list(cidrs)}}}" for g, cidrs in groups.items())
    return (
        f"apiVersion: xdpredirect.io/v1alpha1\nkind: XdpAddressSet\n"
        f"metadata: {{name: {name}}}\nspec: {{groups: [{listed}]}}"
    )


def udp(
    to: int, *, source: int = 1000, ip: Layers | None = None, tags: Sequence[Tag] = ()
) -> bytes:
    """A frame with a UDP datagram of eight octets."""
    return ethernet(
        (ip4() if ip is None else ip) / UDP(sport=source, dport=to) / bytes(8), tags=tags
    )
