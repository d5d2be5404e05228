"""From two looks at the counters to the rates of an interval."""

from dataclasses import replace

from tests.unit.cli.samples import interface, thing
from tests.unit.cli.samples import rule as a_rule
from xdpredirect.agent.host_rates import Event, HostInterval, verdict
from xdpredirect.agent.rates import COUNTED_BY_RULES, Look, RuleRates, interval, since
from xdpredirect.agent.report import Loss, Report, RuleCounters
from xdpredirect.cli.monitor_host import Names, changes
from xdpredirect.kernel.events import TRACEPOINTS, EventKey, Tally

UPLINK = ("eth0", "edge", "uplink")


def counted(
    *packets: int, octets: int = 0, misses: int = 0, errors: int = 0
) -> tuple[RuleCounters, ...]:
    """One CPU each; octets, misses and errors are those of the first."""
    first = RuleCounters(packets=packets[0], octets=octets, misses=misses, errors=errors)
    return (first, *(RuleCounters(packets=number) for number in packets[1:]))


def lost(packets: int, reason: str = "TargetDown", **more: str) -> Loss:
    return Loss(
        object=more.get("object", "edge"),
        rule=more.get("rule", "uplink"),
        reason=reason,
        errno="ENETDOWN",
        interface="eth0",
        target="eth1",
        packets=packets,
        rate=0.0,
        since="",
        hint="Bring it up.",
    )


def look(
    at: float,
    cpus: tuple[RuleCounters, ...],
    *losses: Loss,
    action: str = "Device",
    shared: tuple[Loss, ...] = (),
) -> Look:
    item = interface("eth0", rules=(a_rule("edge", "uplink", action, ("eth1",)),))
    unmatched = RuleCounters(packets=int(at * 100), octets=int(at * 6400))
    return Look(
        at=at,
        report=Report(
            objects=(replace(thing("edge"), losses=losses),),
            interfaces=(replace(item, unmatched=unmatched),),
            shared=shared,
        ),
        cpus={UPLINK: cpus},
    )


def only_rule(before: Look, after: Look) -> RuleRates:
    return interval(before, after, "T").interfaces[0].rules[0]


def test_every_count_is_of_the_interval() -> None:
    before = look(1, counted(100, 5, octets=6400, misses=1, errors=2), lost(10))
    after = look(3, counted(400, 6, octets=25600, misses=4, errors=4), lost(30))
    made = interval(before, after, "T")
    (item,) = made.interfaces
    (rule,) = item.rules
    assert (made.seconds, item.lost) == (2.0, 20)
    assert (rule.matched, rule.octets, rule.misses, rule.errors) == (301, 19200, 3, 2)
    assert (rule.lost, rule.redirected) == (20, 301 - 3 - 2 - 20)
    assert (rule.cpus, rule.skew) == ((300, 1), 300 / 301)
    assert (item.unmatched.packets, item.unmatched.octets) == (200, 12800)
    assert (item.protected.packets, item.malformed.packets) == (0, 0)
    assert (item.received.packets, item.received.octets) == (501, 32000)
    assert [loss.packets for loss in made.losses] == [20]


def test_losses_that_did_not_grow_are_not_shown() -> None:
    made = interval(look(1, counted(1), lost(10)), look(2, counted(1), lost(10)), "T")
    assert (made.losses, made.interfaces[0].lost) == ((), 0)


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    assert only_rule(look(1, counted(1000)), look(2, counted(7))).matched == 7
    assert since(7, 1000) == 7


def test_what_was_not_there_before_counts_from_nothing() -> None:
    nothing = Look(at=1, report=Report(objects=(), interfaces=()), cpus={})
    made = interval(nothing, look(2, counted(5, 6), lost(3)), "T")
    assert (made.interfaces[0].rules[0].matched, made.losses[0].packets) == (11, 3)
    assert made.interfaces[0].unmatched.packets == 200


def test_a_rule_without_counters_yet_has_no_cpus() -> None:
    bare = replace(look(2, ()), cpus={})
    rule = only_rule(bare, bare)
    assert (rule.matched, rule.cpus, rule.skew) == (0, (), 0.0)


def test_misses_that_are_losses_are_subtracted_once() -> None:
    assert sorted(COUNTED_BY_RULES) == ["BroadcastWithoutMember", "NoEntry", "NoHeadroom"]
    after = look(2, counted(100, misses=30), lost(30, "NoEntry"), lost(5))
    rule = only_rule(look(1, counted(0)), after)
    assert (rule.lost, rule.redirected) == (35, 65)


def test_copies_of_a_broadcast_are_no_frames() -> None:
    rule = only_rule(
        look(1, counted(0), action="Broadcast"), look(2, counted(10), lost(40), action="Broadcast")
    )
    assert (rule.lost, rule.redirected) == (40, 10)


def test_passed_and_dropped_frames_are_not_redirected() -> None:
    for action, redirected in (("Pass", 0), ("Drop", 0), ("TX", 9), ("CPUs", 9)):
        rule = only_rule(look(1, counted(0), action=action), look(2, counted(9), action=action))
        assert rule.redirected == redirected


def test_losses_of_several_rules_count_for_the_interface_only() -> None:
    shared = lost(4, object="", rule="")
    after = look(2, counted(10), lost(7, rule=""), shared=(shared,))
    made = interval(look(1, counted(0)), after, "T")
    (item,) = made.interfaces
    assert (item.lost, item.rules[0].lost) == (11, 0)
    assert [(loss.object, loss.packets) for loss in made.losses] == [("edge", 7), ("", 4)]


def key(tracepoint: str, **more: int) -> EventKey:
    fields = dict.fromkeys(EventKey.__slots__, 0) | more
    return EventKey(**{**fields, "event": TRACEPOINTS.index(tracepoint) + 1})


def test_events_are_the_difference_of_two_readings() -> None:
    names = Names(here=1, devices={(1, 2): "eth0", (9, 3): "eth1"}, programs={7: "lb"})
    sent = key("xdp_devmap_xmit", origin=2, to=5, error=6, netns=1)
    quiet = key("xdp_bulk_tx", origin=2, to=2, netns=1)
    before = {sent: Tally(events=1, packets=16, drops=2), quiet: Tally(events=5)}
    after = {**before, sent: Tally(events=3, packets=40, drops=10)}
    (event,) = changes(before, after, names)
    assert (event.events, event.packets, event.drops, event.lost) == (2, 24, 8, 8)
    assert (event.origin, event.target, event.errno) == ("eth0", "if5", "ENXIO")


def test_ids_become_names_where_they_are_known() -> None:
    names = Names(here=1, devices={(1, 2): "eth0", (9, 2): "p1"}, programs={7: "lb"})
    reading = {
        key("xdp_redirect_err", origin=2, netns=9, program=7, map=0x7FFFFFFF, index=4, error=95): (
            Tally(events=1)
        ),
        key("xdp_exception", origin=2, netns=1, program=7, index=1): Tally(events=2),
        key("xdp_cpumap_enqueue", origin=0, to=3): Tally(events=3, packets=3),
        key("mem_connect"): Tally(events=4),
    }
    refused, exception, handed, connected = changes({}, reading, names)
    assert (refused.origin, refused.map, refused.key) == ("p1@9", 0, 4)
    assert (refused.program_name, refused.errno, refused.lost) == ("lb", "EOPNOTSUPP", 1)
    assert (exception.verdict, exception.key, exception.lost) == ("DROP", 0, 2)
    assert (handed.origin, handed.target) == ("cpu 0", "cpu 3")
    assert (connected.origin, connected.events) == ("", 4)
    assert [verdict(act) for act in (0, 4, 9)] == ["ABORTED", "REDIRECT", "9"]


def test_hits_name_every_attached_tracepoint() -> None:
    made = HostInterval(
        time="T",
        seconds=1,
        here=1,
        attached=("xdp_exception", "xdp_bulk_tx"),
        events=(Event(tracepoint="xdp_exception", events=2),),
    )
    assert made.hits() == {"xdp_exception": 2, "xdp_bulk_tx": 0}
