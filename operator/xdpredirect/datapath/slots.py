"""Which counter slot belongs to which rule: one slot for as long as the interface carries it."""

from collections.abc import Mapping, Sequence

from xdpredirect.datapath.abi import COUNTER_SLOTS, FIRST_RULE_SLOT

RuleId = tuple[str, str]
NAME_SIZE = 128


def assign_slots(taken: Mapping[int, RuleId], rules: Sequence[RuleId]) -> dict[RuleId, int]:
    """Slots for `rules`. `taken` is what the kernel holds now: rules in it keep their slot, and
    slots of rules that go away are not given out again before the program that counts in them is
    gone, which is why the map has room for twice the largest program."""
    known = {rule: slot for slot, rule in sorted(taken.items(), reverse=True)}
    free = (slot for slot in range(FIRST_RULE_SLOT, COUNTER_SLOTS) if slot not in taken)
    return {rule: known[rule] if rule in known else next(free) for rule in rules}


def pack_name(rule: RuleId) -> bytes:
    """Value of the map of names: object and rule, at most 63 characters each."""
    return "/".join(rule).encode().ljust(NAME_SIZE, b"\0")


def unpack_name(value: bytes) -> RuleId | None:
    """None for a free slot."""
    text = value.rstrip(b"\0").decode()
    if not text:
        return None
    name, _, rule = text.partition("/")
    return name, rule
