"""Counter slots: a rule keeps its own, none is given to two, names come back as written."""

from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.datapath.abi import COUNTER_SLOTS, FIRST_RULE_SLOT
from xdpredirect.datapath.slots import NAME_SIZE, RuleId, assign_slots, pack_name, unpack_name

RULE = st.tuples(st.sampled_from("abc"), st.sampled_from([f"r{n}" for n in range(9)]))
RULES = st.lists(RULE, unique=True, max_size=20)
TAKEN = st.dictionaries(st.integers(FIRST_RULE_SLOT, COUNTER_SLOTS - 1), RULE, max_size=20)


@given(TAKEN, RULES)
def test_slots(taken: dict[int, RuleId], rules: list[RuleId]) -> None:
    slots = assign_slots(taken, rules)
    assert list(slots) == rules
    assert len(set(slots.values())) == len(rules)
    for rule, slot in slots.items():
        assert FIRST_RULE_SLOT <= slot < COUNTER_SLOTS
        # A rule that has one keeps it; another rule's slot is never reused under a running program.
        assert taken.get(slot, rule) == rule
        if rule in taken.values():
            assert slot in taken


@given(RULES, RULES)
def test_moving_rules_keeps_their_slots(old: list[RuleId], new: list[RuleId]) -> None:
    first = assign_slots({}, old)
    second = assign_slots({slot: rule for rule, slot in first.items()}, new)
    assert all(second[rule] == first[rule] for rule in new if rule in first)


def test_two_full_programs_fit() -> None:
    old = [("a", f"r{n}") for n in range(128)]
    new = [("b", f"r{n}") for n in range(128)]
    taken = {slot: rule for rule, slot in assign_slots({}, old).items()}
    assert not set(assign_slots(taken, new).values()) & set(taken)


@given(
    st.from_regex(r"[a-z0-9.-]{1,63}", fullmatch=True),
    st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
)
def test_names_come_back(owner: str, rule: str) -> None:
    packed = pack_name((owner, rule))
    assert len(packed) == NAME_SIZE
    assert unpack_name(packed) == (owner, rule)


def test_free_slot_has_no_name() -> None:
    assert unpack_name(bytes(NAME_SIZE)) is None
