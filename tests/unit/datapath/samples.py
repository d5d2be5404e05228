"""Objects, links and machines for the tests of layouts and plans; values only."""

from collections.abc import Iterable, Mapping, Sequence

from xdpredirect.agent.resolve import resolve
from xdpredirect.api.action import Action, Drop, OnMiss
from xdpredirect.api.match import Match, Prefix, Range
from xdpredirect.api.redirect import (
    InterfaceTerm,
    Mode,
    NodeSelector,
    Protect,
    RedirectSpec,
    Rule,
    XdpAddressSet,
    XdpRedirect,
)
from xdpredirect.datapath.layout import Layout, lay_out
from xdpredirect.datapath.slots import RuleId, assign_slots
from xdpredirect.host import Cpu, Host, Link, XdpFeatures, XdpMode

EVERYTHING = Match(all=True)


def link(ifindex: int, name: str, mode: XdpMode = XdpMode.NONE, program: int = 0) -> Link:
    return Link(
        ifindex=ifindex,
        name=name,
        mac=b"\2\0\0\0\0" + bytes([ifindex % 256]),
        up=True,
        carrier=True,
        features=XdpFeatures(127),
        xdp_mode=mode,
        xdp_prog_id=program,
    )


def host(links: Iterable[Link], cpus: int = 4) -> Host:
    return Host(links=tuple(links), cpus=tuple(Cpu(id=n, siblings=(n,)) for n in range(cpus)))


def port(number: int) -> Match:
    return Match(protocols=(17,), destination_ports=(Range(number, number),))


def rule(name: str, match: Match = EVERYTHING, action: Action | None = None) -> Rule:
    return Rule(name=name, match=match, action=action or Drop(), on_miss=OnMiss.PASS)


def redirect(
    name: str,
    rules: Sequence[Rule],
    interfaces: Sequence[str] = ("p1",),
    mode: Mode = Mode.NATIVE,
    protect: Protect = Protect.NONE,
) -> XdpRedirect:
    spec = RedirectSpec(
        node_selector=NodeSelector(),
        interfaces=(InterfaceTerm(names=tuple(interfaces)),),
        rules=tuple(rules),
        mode=mode,
        protect=protect,
    )
    return XdpRedirect(name=name, spec=spec)


def net(text: str) -> Prefix:
    """IPv4 network such as 10.0.0.0/8."""
    address, _, length = text.partition("/")
    return Prefix(bytes(map(int, address.split("."))), int(length))


def address_set(name: str, cidrs: Iterable[str]) -> XdpAddressSet:
    return XdpAddressSet(name=name, cidrs=tuple(map(net, cidrs)))


def layout_of(
    redirects: Sequence[XdpRedirect],
    machine: Host,
    *,
    sets: Sequence[XdpAddressSet] = (),
    interface: str = "p1",
    taken: Mapping[int, RuleId] | None = None,
) -> Layout:
    """The layout of one interface, through the real resolver."""
    resolution = resolve(redirects, {s.name: s for s in sets}, machine)
    wanted = next(w for w in resolution.interfaces if w.link.name == interface)
    rules = [(o.name, r.rule.name) for o in wanted.objects for r in o.rules]
    return lay_out(wanted, assign_slots(taken or {}, rules), resolution.machine, "sources")
