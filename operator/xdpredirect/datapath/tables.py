"""DeviceTable and CPUTable: a key of the frame chooses the target. Called by `datapath.actions`.

Numbers of up to 24 bits go into a DEVMAP_HASH (or a hash of CPUs), MAC addresses and tunnel ids
into a hash, addresses into the address index.
"""

from collections.abc import Iterator

from xdpredirect.api.action import CPUTable, DeviceTable, KeyBy, TableKey
from xdpredirect.api.match import Prefix
from xdpredirect.datapath.builder import Builder
from xdpredirect.datapath.fields import DESTINATION, SOURCE, TUNNEL, Field
from xdpredirect.datapath.slots import RuleId
from xdpredirect.datapath.wanted import PlacedRule, Target

_KEYS = {
    KeyBy.VLAN: ("KEY_VLAN", Field.VLAN),
    KeyBy.VNI: ("KEY_VNI", TUNNEL),
    KeyBy.TEID: ("KEY_TEID", TUNNEL),
    KeyBy.DSCP: ("KEY_DSCP", Field.IP | Field.DSCP),
    KeyBy.RX_QUEUE: ("KEY_RX_QUEUE", Field(0)),
    KeyBy.INGRESS_INTERFACE: ("KEY_INGRESS_INTERFACE", Field(0)),
    KeyBy.SOURCE_MAC: ("KEY_SOURCE_MAC", Field.MACS),
    KeyBy.DESTINATION_MAC: ("KEY_DESTINATION_MAC", Field.MACS),
}
_ADDRESSES = {KeyBy.SOURCE_IP: "SOURCE", KeyBy.DESTINATION_IP: "DESTINATION"}
QUEUE_SIZE = 2048
_LONG = (KeyBy.TEID, KeyBy.SOURCE_MAC, KeyBy.DESTINATION_MAC)


def device_table(
    builder: Builder, rule: RuleId, placed: PlacedRule, slot: int, miss: str
) -> tuple[list[str], list[str]]:
    """Lines of a DeviceTable, and its targets in words."""
    action = placed.rule.action
    assert isinstance(action, DeviceTable)
    targets = {name: found[0] for name, found in placed.devices.items()}
    rewrite = "REWRITE" if any(t.rewrite for t in targets.values()) else "NO_REWRITE"
    words = [
        f"{e.text} -> {e.device}" + ("" if targets[e.device].link else " (missing)")
        for e in action.entries
    ]
    number = builder.rule_number(rule)
    by_hash = action.key_by in _KEYS and action.key_by not in _LONG and rewrite == "NO_REWRITE"
    if by_hash:
        builder.place("table", number << 24, 1 << 24)
        for entry in action.entries:
            for key in _numbers(builder, action.key_by, entry.key):
                builder.table_entry(number, key, targets[entry.device])
        key_word = _key_word(builder, action.key_by)
        builder.words.add("TO_DEVICE_BY_KEY")
        return [
            f"TABLE_BEGIN({slot}, {miss})",
            f"TO_DEVICE_BY_KEY({number}, {key_word}, {miss})",
        ], words
    indexes: dict[str, int] = {}

    def index(name: str) -> int:
        if name not in indexes:
            indexes[name] = builder.devices([_present(targets[name])])
        return indexes[name]

    find = _find(builder, rule, placed, miss, [(e.key, index(e.device)) for e in action.entries])
    return [f"TABLE_BEGIN({slot}, {miss})", find, f"TO_FOUND_DEVICE({rewrite}, {miss})"], words


def _present(target: Target) -> Target | None:
    return target if target.link else None


def cpu_table(
    builder: Builder, rule: RuleId, placed: PlacedRule, slot: int, miss: str
) -> tuple[list[str], list[str]]:
    """Lines of a CPUTable, and its targets in words."""
    action = placed.rule.action
    assert isinstance(action, CPUTable)
    online = sorted({e.cpu for e in action.entries} & builder.machine.online)
    name = builder.cpumap(rule, online, QUEUE_SIZE)
    find = _find(builder, rule, placed, miss, [(e.key, e.cpu) for e in action.entries])
    words = [
        f"{e.text} -> cpu {e.cpu}" + ("" if e.cpu in online else " (offline)")
        for e in action.entries
    ]
    return [f"TABLE_BEGIN({slot}, {miss})", find, f"TO_FOUND_CPU({name}, {miss})"], words


def _find(
    builder: Builder,
    rule: RuleId,
    placed: PlacedRule,
    miss: str,
    entries: list[tuple[TableKey, int]],
) -> str:
    action = placed.rule.action
    assert isinstance(action, DeviceTable | CPUTable)
    if action.key_by in _ADDRESSES:
        side = _ADDRESSES[action.key_by]
        builder.find(side)
        builder.use(SOURCE if side == "SOURCE" else DESTINATION)
        table: dict[Prefix, int] = {}
        for key, found in entries:
            for prefix in _prefixes(key, placed):
                table[prefix] = found
        return f"FOUND_ADDRESS({side.lower()}, {builder.address_table(table)}, {miss})"
    number = builder.rule_number(rule)
    builder.words.add("FOUND_KEY")
    for key, found in entries:
        for value in _numbers(builder, action.key_by, key):
            builder.key_entry(number, value, found)
    return f"FOUND_KEY({number}, {_key_word(builder, action.key_by)}, {miss})"


def _key_word(builder: Builder, key_by: KeyBy) -> str:
    text, used = _KEYS[key_by]
    builder.use(used)
    if key_by in (KeyBy.VNI, KeyBy.TEID):
        builder.find("TUNNEL")
    return text


def _numbers(builder: Builder, key_by: KeyBy, key: TableKey) -> Iterator[int]:
    """A key as the number that the program computes; none for another machine's interface."""
    if key_by is KeyBy.INGRESS_INTERFACE:
        link = builder.wanted.link
        if key == link.name or key in link.alt_names:
            yield link.ifindex
    elif isinstance(key, bytes):
        yield int.from_bytes(key)
    elif isinstance(key, int):
        yield key


def _prefixes(key: TableKey, placed: PlacedRule) -> tuple[Prefix, ...]:
    if isinstance(key, Prefix):
        return (key,)
    groups = placed.groups or {}
    return groups.get(key, ()) if isinstance(key, str) else ()
