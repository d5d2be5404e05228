"""Both sides of what the programs on the tracepoints count say the same."""

import re

from xdpredirect.data import data_dir
from xdpredirect.kernel.events import KEY, NAME_KEY, TALLY, TRACEPOINTS, EventKey, Tally

SIZES = {"__u32": 4, "__u64": 8}
RENAMED = {"from": "origin"}


def members(structure: str) -> list[tuple[str, int]]:
    """Names and sizes of the members of a structure of bpf/events.h."""
    text = (data_dir("bpf") / "events.h").read_text()
    body = re.search(rf"struct {structure} \{{(.*?)\}};", text, re.DOTALL)
    assert body is not None
    found = re.findall(r"(__u\d+) (\w+);", body[1])
    return [(RENAMED.get(name, name), SIZES[kind]) for kind, name in found]


def test_keys_and_tallies_have_the_members_of_the_programs() -> None:
    assert [name for name, _ in members("event_key")] == list(EventKey.__slots__)
    assert [name for name, _ in members("tally")] == list(Tally.__slots__)
    for structure, packing in (("event_key", KEY), ("tally", TALLY), ("name_key", NAME_KEY)):
        assert sum(size for _, size in members(structure)) == packing.size


def test_there_is_a_program_for_every_tracepoint() -> None:
    text = (data_dir("bpf") / "event_monitor.c").read_text()
    programs = re.findall(r"^int (\w+)\(__u64 \*args\)|^COUNTED\((\w+),", text, re.MULTILINE)
    assert sorted(a or b for a, b in programs) == sorted(TRACEPOINTS)
    assert set(re.findall(r"\bEVENT_\w+", text)) - {"EVENT_"} == {
        f"EVENT_{name.upper()}" for name in TRACEPOINTS
    }
