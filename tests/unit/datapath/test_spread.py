"""Slots of a spread: shares exact to one slot, and no flow moves without need."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from xdpredirect.datapath.spread import SLOTS, assign, rotate

NAMES = st.text("abcdefgh0123456789", min_size=1, max_size=6)
MEMBERS = st.dictionaries(NAMES, st.integers(1, 100), min_size=1, max_size=24).map(
    lambda weights: sorted(weights.items())
)


@settings(max_examples=60)
@given(MEMBERS)
def test_shares_are_exact_to_one_slot(members: list[tuple[str, int]]) -> None:
    owners = assign(members, frozenset(name for name, _ in members))
    total = sum(weight for _, weight in members)
    assert len(owners) == SLOTS == 256
    for name, weight in members:
        assert abs(owners.count(name) - SLOTS * weight / total) < 1


@settings(max_examples=60)
@given(MEMBERS, st.data())
def test_death_moves_only_own_slots_and_return_restores(
    members: list[tuple[str, int]], data: st.DataObject
) -> None:
    everyone = frozenset(name for name, _ in members)
    alive = data.draw(st.sets(st.sampled_from(sorted(everyone)))) or set(everyone)
    before = assign(members, frozenset(alive))
    victim = data.draw(st.sampled_from(sorted(alive)))
    after = assign(members, frozenset(alive - {victim}))
    if alive == {victim}:
        assert after == (None,) * SLOTS
    for old, new in zip(before, after, strict=True):
        assert new == old if old != victim else new != victim
    assert assign(members, frozenset(alive)) == before


@settings(max_examples=40)
@given(MEMBERS, st.randoms(use_true_random=False), st.data())
def test_order_of_members_does_not_matter(
    members: list[tuple[str, int]], random: Random, data: st.DataObject
) -> None:
    alive = frozenset(data.draw(st.sets(st.sampled_from([name for name, _ in members]))))
    mixed = list(members)
    random.shuffle(mixed)
    assert assign(mixed, alive) == assign(members, alive)


def test_nobody_alive() -> None:
    assert assign([("a", 1), ("b", 1)], frozenset()) == (None,) * SLOTS
    assert rotate([]) == (None,) * SLOTS


def test_the_dead_are_shared_out_by_weight() -> None:
    """The slots of a dead member go to several others, not all to one."""
    members = [(f"m{n}", 1) for n in range(8)]
    everyone = frozenset(name for name, _ in members)
    before = assign(members, everyone)
    after = assign(members, everyone - {"m3"})
    heirs = {new for old, new in zip(before, after, strict=True) if old == "m3"}
    assert len(heirs) >= 5


def test_more_members_than_slots() -> None:
    members = [(f"m{n:03}", 1) for n in range(300)]
    owners = assign(members, frozenset(name for name, _ in members))
    assert len(set(owners)) == SLOTS
    assert None not in owners


def test_rotation_deals_in_turn() -> None:
    assert rotate(["a", "b", "c"])[:7] == ("a", "b", "c", "a", "b", "c", "a")


def test_assignment_is_the_documented_one() -> None:
    """Another version of the agent must send the same flow to the same member."""
    owners = assign([("eth1", 3), ("eth2", 1)], frozenset(("eth1", "eth2")))
    assert "".join("x" if o == "eth2" else "." for o in owners[:32]) == GOLDEN
    assert owners.count("eth2") == 64


GOLDEN = "....xx.....x.x..........xxx....."
