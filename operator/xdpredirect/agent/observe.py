"""Reads back what of ours is in the kernel. Called by `agent.loop` before every plan.

Everything is found through the pins of one bpffs directory, so an agent that knows nothing sees
the same as one that made it all. Nothing is changed here, except that a fresh directory is marked
with the network namespace that it serves.
"""

import contextlib
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from xdpredirect.agent.observed import Observed, ObservedGeneration, ObservedInterface, ObservedMap
from xdpredirect.agent.pins import Pins, unescape
from xdpredirect.agent.plan import MAIN
from xdpredirect.datapath.abi import PAIR, U32, U64
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.slots import RuleId, unpack_name
from xdpredirect.errors import KernelError, Locked
from xdpredirect.host import Host, XdpMode
from xdpredirect.kernel.bpf import ENOENT, open_pin, pin, program_info
from xdpredirect.kernel.maps import Map, create_map, map_id, open_map, pinned_map
from xdpredirect.kernel.programs import link_info

_WITH_PROGRAMS = (MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP)
# XSKMAP answers a lookup with EOPNOTSUPP (net/xdp/xskmap.c).
_UNREAD = (MapType.PERCPU_ARRAY, MapType.XSKMAP)
_OWNER = MapSpec("owner", MapType.ARRAY, 4, 8, 1)
_ZERO = U32.pack(0)


def claim(pins: Pins) -> None:
    """Mark a fresh directory with this network namespace.

    Raises Locked when the directory serves another one: ifindexes mean other devices there.
    """
    here = _here()
    if not pins.owner.exists():
        with create_map(_OWNER) as owner:
            owner.put(_ZERO, U64.pack(here))
            pin(owner.fd, pins.owner)
    _check_owner(pins, here)


def check_owner(pins: Pins) -> None:
    """Raises Locked when the directory serves another network namespace; a fresh one serves
    nobody yet."""
    if pins.owner.exists():
        _check_owner(pins, _here())


def _here() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def _check_owner(pins: Pins, here: int) -> None:
    with pinned_map(pins.owner) as owner:
        (there,) = U64.unpack(owner.get(_ZERO) or bytes(8))
    if there != here:
        owner_words = (
            f"network namespace net:[{there}] and not by this one, net:[{here}] "
            f"(if that one is gone: rm -r {pins.root} removes what it left)"
        )
        raise Locked(str(pins.root), owner_words)


def release(pins: Pins) -> None:
    """Take the mark off a directory that holds nothing else, so that nothing of ours is left.

    The directory itself stays: whoever calls holds the lock on it.
    """
    pins.owner.unlink(missing_ok=True)
    for directory in (pins.interfaces, pins.passes):
        # Never made, or something lies in it that is not ours.
        with contextlib.suppress(OSError):
            directory.rmdir()


def observe(
    pins: Pins, host: Host, known: Mapping[int, Mapping[bytes, bytes]] | None = None
) -> Observed:
    """Everything of ours. `known` holds contents, by map id, that this process wrote last and that
    need not be read again. Raises KernelError."""
    interfaces = {}
    for directory in _directories(pins.interfaces):
        name = unescape(directory.name)
        interfaces[name] = _interface(pins, name, host, known or {})
    passes = {}
    for path in sorted(pins.passes.iterdir()) if pins.passes.is_dir() else ():
        info = _link(path)
        if info and info[1]:
            passes[info[1]] = info[0]
    return Observed(interfaces=interfaces, pass_programs=passes)


def _directories(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (path for path in sorted(parent.iterdir()) if path.is_dir())


def _interface(
    pins: Pins, name: str, host: Host, known: Mapping[int, Mapping[bytes, bytes]]
) -> ObservedInterface:
    link = _link(pins.link(name))
    programs = {d.name: _main(d) for d in _directories(pins.interface(name))}
    running, attached_to, mode, away = 0, 0, XdpMode.NONE, False
    if link:
        running, attached_to = link
        # The number is the device's own: where it was moved to, another one may have it here.
        there = host.link(attached_to)
        here = there if there and there.xdp_prog_id == running else None
        mode = here.xdp_mode if here else XdpMode.NONE
        away = attached_to != 0 and here is None
    else:
        for device in host.links:
            if device.xdp_prog_id and device.xdp_prog_id in programs.values():
                running, attached_to, mode = device.xdp_prog_id, device.ifindex, device.xdp_mode
    generations = {}
    for digest, program in programs.items():
        contents = known if program == running else None
        generations[digest] = _generation(pins.generation(name, digest), digest, program, contents)
    whole = pins.counters(name).exists() and pins.names(name).exists()
    return ObservedInterface(
        name=name,
        counters=whole,
        slots=_slots(pins.names(name)) if whole else {},
        generations=generations,
        attached_to=attached_to,
        running=running,
        mode=mode,
        dead_link=link is not None and not attached_to,
        by_link=link is not None,
        away=away,
    )


def _link(path: Path) -> tuple[int, int] | None:
    """Program id and ifindex of a pinned link."""
    try:
        fd = open_pin(path)
    except KernelError as error:
        if error.errno == ENOENT:
            return None
        raise
    try:
        info = link_info(fd)
        return info.prog_id, info.ifindex
    finally:
        os.close(fd)


def _main(directory: Path) -> int:
    path = directory / f"prog-{MAIN}"
    if not path.exists():
        return 0
    fd = open_pin(path)
    try:
        return program_info(fd).id
    finally:
        os.close(fd)


def _generation(
    directory: Path,
    digest: str,
    program: int,
    known: Mapping[int, Mapping[bytes, bytes]] | None,
) -> ObservedGeneration:
    maps = {}
    for path in sorted(directory.glob("map-*")):
        with open_map(path) as opened:
            number = map_id(opened.fd)
            name = path.name.removeprefix("map-")
            # The kernel keeps 15 characters of it.
            spec = replace(opened.spec, name=name)
            entries = None
            if spec.type not in _UNREAD and program:
                entries = known.get(number) if known else None
                if entries is None:
                    entries = _entries(opened)
            maps[name] = ObservedMap(spec=spec, id=number, entries=entries)
    return ObservedGeneration(digest=digest, program=program, maps=maps)


def _entries(opened: Map) -> dict[bytes, bytes]:
    entries = opened.items()
    if opened.spec.type not in _WITH_PROGRAMS:
        return entries
    flagged = {}
    for key, value in entries.items():
        first, program = PAIR.unpack(value)
        if first:
            flagged[key] = PAIR.pack(first, int(program != 0))
    return flagged


def _slots(path: Path) -> dict[int, RuleId]:
    with pinned_map(path) as names:
        found = {struct.unpack("=I", key)[0]: unpack_name(v) for key, v in names.items().items()}
    return {slot: rule for slot, rule in found.items() if rule is not None}
