"""Which object and rule decide about a frame, out of several."""

from ipaddress import ip_address

from scapy.layers.inet import TCP, UDP

from tests.spec.frames import ethernet, ip4
from tests.spec.matcher import Context, Node, first_rule, parse
from xdpredirect.api.action import Drop, OnMiss, ToDevice
from xdpredirect.api.match import Match
from xdpredirect.api.redirect import NodeSelector, Protect, RedirectSpec, Rule, XdpRedirect

UDP_FRAME = parse(ethernet(ip4() / UDP(sport=1, dport=2)))
TCP_FRAME = parse(ethernet(ip4() / TCP(sport=1, dport=2)))
ARP_FRAME = parse(ethernet(bytes(28), 0x0806))
IS_UDP, IS_TCP, ALL = Match(protocols=(17,)), Match(protocols=(6,)), Match(all=True)


def rule(name: str, match: Match, on_miss: OnMiss = OnMiss.PASS) -> Rule:
    return Rule(name=name, match=match, action=ToDevice(name="eth1"), on_miss=on_miss)


def item(
    name: str, *rules: Rule, priority: int = 500, protect: Protect = Protect.NONE
) -> XdpRedirect:
    spec = RedirectSpec(
        node_selector=NodeSelector(),
        interfaces=(),
        rules=rules,
        priority=priority,
        protect=protect,
    )
    return XdpRedirect(name=name, spec=spec)


def test_the_first_rule_that_matches_decides() -> None:
    objects = [item("a", rule("tcp", IS_TCP), rule("udp", IS_UDP), rule("rest", ALL))]
    assert first_rule(objects, UDP_FRAME, Context(), Node()) == ("a", "udp")
    assert first_rule(objects, TCP_FRAME, Context(), Node()) == ("a", "tcp")
    assert first_rule(objects, ARP_FRAME, Context(), Node()) == ("a", "rest")


def test_nothing_matches() -> None:
    assert first_rule([item("a", rule("tcp", IS_TCP))], UDP_FRAME, Context(), Node()) is None
    assert first_rule([], UDP_FRAME, Context(), Node()) is None


def test_a_frame_that_an_object_leaves_goes_to_the_next() -> None:
    objects = [item("a", rule("tcp", IS_TCP)), item("b", rule("udp", IS_UDP))]
    assert first_rule(objects, UDP_FRAME, Context(), Node()) == ("b", "udp")


def test_lower_priority_numbers_come_first_then_names() -> None:
    late, early = item("a", rule("x", ALL), priority=501), item("z", rule("x", ALL), priority=9)
    assert first_rule([late, early], UDP_FRAME, Context(), Node()) == ("z", "x")
    same = item("y", rule("x", ALL), priority=9)
    assert first_rule([late, early, same], UDP_FRAME, Context(), Node()) == ("y", "x")


def test_a_miss_goes_on_only_with_continue() -> None:
    misses = Node(misses=frozenset({("a", "first")}))
    stays = [item("a", rule("first", ALL), rule("second", ALL))]
    goes_on = [item("a", rule("first", ALL, OnMiss.CONTINUE), rule("second", ALL))]
    assert first_rule(stays, UDP_FRAME, Context(), misses) == ("a", "first")
    assert first_rule(goes_on, UDP_FRAME, Context(), misses) == ("a", "second")
    assert first_rule(goes_on, UDP_FRAME, Context(), Node()) == ("a", "first")


def test_a_miss_of_the_last_rule_goes_on_with_the_next_object() -> None:
    objects = [item("a", rule("r", ALL, OnMiss.CONTINUE)), item("b", rule("r", ALL))]
    misses = Node(misses=frozenset({("a", "r")}))
    assert first_rule(objects, UDP_FRAME, Context(), misses) == ("b", "r")


def test_a_protected_frame_skips_the_object_that_protects() -> None:
    drop = Rule(name="drop", match=ALL, action=Drop())
    objects = [
        item("a", drop, protect=Protect.NODE),
        item("b", drop, protect=Protect.LINK),
        item("c", drop),
    ]
    lacp = parse(ethernet(bytes(110), 0x8809))
    to_node = Node(local_addresses=frozenset({ip_address("198.51.100.20").packed}))
    assert first_rule(objects, TCP_FRAME, Context(), Node()) == ("a", "drop")
    assert first_rule(objects, TCP_FRAME, Context(), to_node) == ("b", "drop")
    assert first_rule(objects, ARP_FRAME, Context(), Node()) == ("b", "drop")
    assert first_rule(objects, lacp, Context(), Node()) == ("c", "drop")
    assert first_rule(objects[:2], lacp, Context(), Node()) is None
