"""DeviceGroup: 256 slots shared out by weight, the flow hash names the member, and a member that
dies gives up its own slots only."""

from collections.abc import Mapping

import pytest
from scapy.layers.inet import UDP

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, Switch, both_modes, redirect, rule, switch, udp
from tests.spec.flowhash import slot
from tests.spec.frames import ethernet, ip4, ip6
from xdpredirect.api.action import SpreadBy
from xdpredirect.datapath.spread import assign

SLOTS = 256
PORTS = ("in", "p1", "p2", "p3")
WEIGHTS = {"p1": 1, "p2": 2, "p3": 4}


def one_flow_a_slot() -> tuple[bytes, ...]:
    """A frame for each slot, in the order of the slots, by its source port."""
    found: dict[int, bytes] = {}
    source = 0
    while len(found) < SLOTS:
        source += 1
        frame = udp(9, source=source)
        found.setdefault(slot(frame, SpreadBy.FLOW), frame)
    return tuple(found[number] for number in range(SLOTS))


FLOWS = one_flow_a_slot()


def group(weights: Mapping[str, int], spread_by: str = "Flow") -> str:
    """An object that spreads everything over these devices."""
    members = ", ".join(f"{{name: {name}, weight: {w}}}" for name, w in weights.items())
    action = f"{{members: [{members}], spreadBy: {spread_by}}}"
    return redirect(rule("r", CATCH_ALL, f"{{type: DeviceGroup, deviceGroup: {action}}}"))


def owners(s: Switch, weights: Mapping[str, int], alive: frozenset[str]) -> dict[int, str]:
    """Sends one flow of each slot; the device that each slot led to, held against the definition:
    one rendezvous hash for everybody, whoever computes it."""
    wanted = assign(tuple(weights.items()), alive)
    counts = {name: wanted.count(name) for name in alive}
    arrived = s.deliver(FLOWS, **counts)
    found = {FLOWS.index(f): name for name, frames in arrived.items() for f in frames}
    assert found == dict(enumerate(wanted))
    return found


@both_modes
def test_shares_are_exact_and_a_dead_member_moves_its_own_flows_only(lab: Lab, mode: str) -> None:
    everybody = frozenset(WEIGHTS)
    with switch(lab, mode, PORTS) as s:
        s.apply(group(WEIGHTS))
        before = owners(s, WEIGHTS, everybody)
        for name, weight in WEIGHTS.items():
            share = SLOTS * weight / sum(WEIGHTS.values())
            assert abs(list(before.values()).count(name) - share) < 1, name

        s.dut.ip("link", "set", "p2", "down")
        s.converge()
        without = owners(s, WEIGHTS, everybody - {"p2"})
        moved = {n for n in before if without[n] != before[n]}
        assert moved == {n for n, name in before.items() if name == "p2"}
        assert {without[n] for n in moved} == {"p1", "p3"}

        s.dut.ip("link", "set", "p2", "up")
        s.converge()
        assert owners(s, WEIGHTS, everybody) == before
        assert s.counted("r").packets == 3 * SLOTS
        assert s.counted("r").misses == 0


@both_modes
def test_a_member_that_goes_away_and_comes_back_finds_its_flows(lab: Lab, mode: str) -> None:
    weights = {"p1": 1, "p2": 1, "p3": 1}
    everybody = frozenset(weights)
    with switch(lab, mode, PORTS) as s:
        s.apply(group(weights))
        before = owners(s, weights, everybody)
        # Under another name it is not the member that the object means.
        s.dut.ip("link", "set", "p3", "name", "elsewhere")
        s.converge()
        owners(s, weights, everybody - {"p3"})
        s.dut.ip("link", "set", "elsewhere", "name", "p3")
        s.converge()
        assert owners(s, weights, everybody) == before
        # With nobody left every frame takes onMiss.
        for name in weights:
            s.dut.ip("link", "set", name, "down")
        s.converge()
        s.deliver(FLOWS[:10], stack=10)
        assert s.counted("r").misses == 10


@both_modes
def test_a_new_weight_moves_only_what_it_must(lab: Lab, mode: str) -> None:
    before, after = {"p1": 1, "p2": 1}, {"p1": 1, "p2": 3}
    with switch(lab, mode, PORTS) as s:
        s.apply(group(before))
        old = owners(s, before, frozenset(before))
        s.apply(group(after))
        new = owners(s, after, frozenset(after))
        assert list(old.values()).count("p1") == 128
        assert list(new.values()).count("p1") == 64
        # Nobody who grew lost a slot: p1 gave up 64 of its own.
        assert {n for n, name in old.items() if name == "p2"} <= {
            n for n, name in new.items() if name == "p2"
        }


FRAMES = [
    ethernet(ip(f"{net}{n}", f"{net}{200 + n}") / UDP(sport=n, dport=9))
    for ip, net in ((ip4, "192.0.2."), (ip6, "2001:db8::"))
    for n in range(1, 21)
]


@both_modes
@pytest.mark.parametrize("spread_by", ["Flow", "InnerFlow", "SourceIP", "DestinationIP"])
def test_the_hash_chooses_the_member(lab: Lab, mode: str, spread_by: str) -> None:
    weights = {"p1": 1, "p2": 1, "p3": 1}
    wanted = assign(tuple(weights.items()), frozenset(weights))
    member = [wanted[slot(frame, SpreadBy(spread_by))] for frame in FRAMES]
    with switch(lab, mode, PORTS) as s:
        s.apply(group(weights, spread_by))
        arrived = s.deliver(FRAMES, **{name: member.count(name) for name in weights})
        for name, frames in arrived.items():
            assert frames == [f for f, owner in zip(FRAMES, member, strict=True) if owner == name]


@both_modes
def test_members_are_rewritten_each_in_its_own_way(lab: Lab, mode: str) -> None:
    wanted = assign((("p1", 1), ("tagged", 1)), frozenset({"p1", "tagged"}))
    tag = "{name: tagged, select: [{names: [p2]}], rewrite: {vlan: {operation: Push, id: 5}}}"
    with switch(lab, mode, PORTS) as s:
        members = "{members: [{name: p1}, {name: tagged}]}"
        text = rule("r", CATCH_ALL, f"{{type: DeviceGroup, deviceGroup: {members}}}")
        s.apply(redirect(text, devices=f"[{tag}]"))
        plain = [f for n, f in enumerate(FLOWS) if wanted[n] == "p1"]
        tagged = [f for n, f in enumerate(FLOWS) if wanted[n] == "tagged"]
        arrived = s.deliver(FLOWS, p1=len(plain), p2=len(tagged))
        assert arrived["p1"] == plain
        assert arrived["p2"] == [f[:12] + b"\x81\0\0\5" + f[12:] for f in tagged]
