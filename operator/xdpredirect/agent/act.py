"""Carries actions out. The only place where the datapath changes; no decision is taken here.

Called by `agent.loop`, one interface after the other. A failed action raises KernelError,
CompileError or VerifierError; what was done before it stays, and the next plan goes on from there.
"""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from xdpredirect.agent.actions import (
    Action,
    Attach,
    CreateInterface,
    CreateMap,
    DeleteEntries,
    Detach,
    FreeSlots,
    LoadProgram,
    NameSlots,
    PutEntries,
    RemoveGeneration,
    RemoveInterface,
    RenameInterface,
    Swap,
)
from xdpredirect.agent.load import load_variants
from xdpredirect.agent.opened import opened_maps, opened_pin, remove_tree
from xdpredirect.agent.pins import Pins
from xdpredirect.agent.plan import MAIN
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.builder import COUNTERS
from xdpredirect.datapath.layout import Layout
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.slots import NAME_SIZE, pack_name
from xdpredirect.errors import KernelError
from xdpredirect.kernel.attach import set_xdp
from xdpredirect.kernel.bpf import pin, program_info
from xdpredirect.kernel.compile import Compiler
from xdpredirect.kernel.maps import create_map, map_id, pinned_map
from xdpredirect.kernel.programs import create_link, detach_link, update_link

NAMES = MapSpec("names", MapType.HASH, 4, NAME_SIZE, COUNTERS.max_entries)
_COUNTERS_NUMBER = 1
_VOLATILE = (MapType.DEVMAP, MapType.DEVMAP_HASH)
LARGE = 1000
"""Entries from which on a map is not read back as long as nobody but us can have changed it."""


@dataclass(slots=True)
class Actor:
    """`sources` are the C files by name. `by_link` False attaches through netlink. `written` keeps
    what each map was last filled with, by map id, so that large sets are not read back."""

    pins: Pins
    compiler: Compiler
    sources: Mapping[str, str]
    by_link: bool = True
    written: dict[int, Mapping[bytes, bytes]] = field(default_factory=dict)

    def perform(self, action: Action) -> None:
        """Carry out one action."""
        match action:
            case CreateInterface() | NameSlots() | FreeSlots():
                self._counters(action)
            case CreateMap():
                self._create_map(action)
            case PutEntries():
                self._put(action)
            case DeleteEntries():
                self._delete(action)
            case LoadProgram():
                self._load(action)
            case Attach():
                self._attach(action)
            case Swap():
                self._swap(action)
            case Detach():
                self._detach(action)
            case RemoveGeneration() | RemoveInterface() | RenameInterface():
                self._directory(action)
            case _:
                assert_never(action)

    def _counters(self, action: CreateInterface | NameSlots | FreeSlots) -> None:
        match action:
            case CreateInterface():
                self._create_interface(action.interface)
            case NameSlots():
                self._name_slots(action)
            case FreeSlots():
                with pinned_map(self.pins.names(action.interface)) as names:
                    names.delete_all([U32.pack(slot) for slot in action.slots])

    def _directory(self, action: RemoveGeneration | RemoveInterface | RenameInterface) -> None:
        match action:
            case RemoveGeneration():
                remove_tree(self.pins.generation(action.interface, action.generation))
            case RemoveInterface():
                remove_tree(self.pins.interface(action.interface))
            case RenameInterface():
                old, new = map(self.pins.interface, (action.interface, action.to))
                old.rename(new)

    def _delete(self, action: DeleteEntries) -> None:
        path = self.pins.map(action.interface, action.generation, action.map)
        with pinned_map(path) as opened:
            self.written.pop(map_id(opened.fd), None)
            opened.delete_all(action.keys)

    def _create_interface(self, name: str) -> None:
        self.pins.interface(name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, spec in ((self.pins.names(name), NAMES), (self.pins.counters(name), COUNTERS)):
            if not path.exists():
                with create_map(spec) as created:
                    pin(created.fd, path)

    def _name_slots(self, action: NameSlots) -> None:
        with pinned_map(self.pins.counters(action.interface)) as counters:
            for slot in action.slots:
                counters.put(U32.pack(slot), bytes(counters.value_octets))
        with pinned_map(self.pins.names(action.interface)) as names:
            names.put_all({U32.pack(slot): pack_name(rule) for slot, rule in action.slots.items()})

    def _create_map(self, action: CreateMap) -> None:
        path = self.pins.map(action.interface, action.generation, action.spec.name)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if action.kept_from:
            kept = self.pins.map(action.interface, action.kept_from, action.spec.name)
            with opened_pin(kept) as fd:
                pin(fd, path)
            return
        with create_map(action.spec) as created:
            pin(created.fd, path)

    def _put(self, action: PutEntries) -> None:
        entries = action.entries
        with pinned_map(self.pins.map(action.interface, action.generation, action.map)) as opened:
            number = map_id(opened.fd)
            self.written.pop(number, None)
            if action.program and any(PAIR.unpack(value)[1] for value in entries.values()):
                path = self.pins.program(action.interface, action.generation, action.program)
                with opened_pin(path) as program:
                    opened.put_all(with_program(entries, program))
            else:
                opened.put_all(entries)

    def _load(self, action: LoadProgram) -> None:
        with opened_maps(self._numbered(action)) as fds:
            fd = load_variants(action.program, self.compiler, self.sources, (fds, action.frags))
        path = self.pins.program(action.interface, action.generation, action.program.name)
        try:
            # A program that needs no map of its own is the first thing of its generation.
            path.parent.mkdir(exist_ok=True, mode=0o700)
            pin(fd, path)
        finally:
            os.close(fd)

    def _numbered(self, action: LoadProgram) -> dict[int, Path]:
        paths = {
            wanted.number: self.pins.map(action.interface, action.generation, wanted.spec.name)
            for wanted in action.maps
        }
        return {_COUNTERS_NUMBER: self.pins.counters(action.interface), **paths}

    def _attach(self, action: Attach) -> None:
        with opened_pin(self.pins.program(action.interface, action.generation, MAIN)) as program:
            modes = (False, True) if action.generic is None else (action.generic,)
            for generic in modes:
                try:
                    self._attach_as(action, program, generic)
                    return
                except KernelError as error:
                    if error.errno != errno.EOPNOTSUPP or generic is modes[-1]:
                        raise

    def _attach_as(self, action: Attach, program: int, generic: bool) -> None:
        if not self.by_link:
            set_xdp(action.ifindex, program, -1, generic)
            return
        link = create_link(program, action.ifindex, generic)
        try:
            pin(link, self.pins.link(action.interface))
        finally:
            os.close(link)

    def _swap(self, action: Swap) -> None:
        link = self.pins.link(action.interface)
        with opened_pin(self.pins.program(action.interface, action.generation, MAIN)) as program:
            if link.exists():
                update_link(link, program)
                return
            self._replace(action, action.old_program, program)

    def _detach(self, action: Detach) -> None:
        link = self.pins.link(action.interface)
        if link.exists():
            detach_link(link)
            link.unlink()
        elif action.ifindex:
            self._replace(action, action.program, -1)

    def _replace(self, action: Swap | Detach, old: int, new_fd: int) -> None:
        """Netlink compare-and-swap with our own program as the expected one."""
        for path in self.pins.interface(action.interface).glob(f"*/prog-{MAIN}"):
            with opened_pin(path) as candidate:
                if program_info(candidate).id == old:
                    set_xdp(action.ifindex, new_fd, candidate, action.generic)

    def remember(self, interface: str, layout: Layout) -> None:
        """The interface's large maps hold exactly what the layout says. DEVMAPs do not count: the
        kernel takes the entries of a device that goes away."""
        for wanted in layout.maps:
            if len(wanted.entries) >= LARGE and wanted.spec.type not in _VOLATILE:
                with pinned_map(self.pins.map(interface, layout.digest, wanted.spec.name)) as m:
                    self.written[map_id(m.fd)] = wanted.entries


def with_program(entries: Mapping[bytes, bytes], program: int) -> dict[bytes, bytes]:
    """Entries with the descriptor of their secondary program in the second half."""
    unpacked = ((key, *PAIR.unpack(value)) for key, value in entries.items())
    return {key: PAIR.pack(first, program if flag else 0) for key, first, flag in unpacked}
