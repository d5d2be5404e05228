"""A kernel out of dictionaries: carries out the agent's actions, refuses those that a kernel would
refuse or that would lose frames, and shows what is there as `agent.observe` does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.unit.agent.model_pins import Directory, Generation, Hook, observed_maps
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
from xdpredirect.agent.observed import Observed, ObservedGeneration, ObservedInterface
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.layout import Layout
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.host import Link, XdpMode

FOREIGN = 7


@dataclass(slots=True)
class ModelKernel:
    """`layouts` holds what each interface is on its way to, and `before` what it ran."""

    directories: dict[str, Directory] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    numbers: int = 100

    def _next(self) -> int:
        self.numbers += 1
        return self.numbers

    def running(self, name: str) -> tuple[str, Generation] | None:
        """Digest and generation of the directory's program that some device runs."""
        directory = self.directories[name]
        if not directory.link or directory.link not in self.hooks:
            return None
        program = self.hooks[directory.link].program
        for digest, generation in directory.generations.items():
            if generation.programs.get("redirect") == program:
                return digest, generation
        raise AssertionError(f"{name} runs program {program} that is pinned nowhere")

    def perform(self, action: Action, *, half: bool = False) -> None:
        """One action; `half`: killed in the middle of writing the entries of a map."""
        handler: Callable[..., None] = getattr(self, f"_{type(action).__name__}")
        if isinstance(action, PutEntries) and half:
            keys = list(action.entries)[: len(action.entries) // 2]
            action = replace(action, entries={key: action.entries[key] for key in keys})
        if isinstance(action, DeleteEntries) and half:
            action = replace(action, keys=action.keys[: len(action.keys) // 2])
        handler(action)
        for directory in self.directories.values():
            for generation in directory.generations.values():
                if "generation" in generation.maps:
                    generation.cached.append((generation.number(), generation.index()))

    def _CreateInterface(self, action: CreateInterface) -> None:  # noqa: N802
        self.directories.setdefault(action.interface, Directory())

    def _NameSlots(self, action: NameSlots) -> None:  # noqa: N802
        directory = self.directories[action.interface]
        running = self.running(action.interface)
        for slot, rule in action.slots.items():
            assert slot not in directory.slots, "a counter is taken from its rule"
            assert running is None or slot not in running[1].slots, "a counter in use is zeroed"
            directory.slots[slot] = rule

    def _FreeSlots(self, action: FreeSlots) -> None:  # noqa: N802
        running = self.running(action.interface)
        for slot in action.slots:
            assert running is None or slot not in running[1].slots, "a counter in use is freed"
            del self.directories[action.interface].slots[slot]

    def _generation(self, action: CreateMap | PutEntries | DeleteEntries | Swap) -> Generation:
        return self.directories[action.interface].generations[action.generation]

    def _CreateMap(self, action: CreateMap) -> None:  # noqa: N802
        generations = self.directories[action.interface].generations
        generation = generations.setdefault(action.generation, Generation())
        assert action.spec.name not in generation.maps, "EEXIST"
        if action.kept_from:
            assert generations[action.kept_from].maps[action.spec.name][0] == action.spec
            generation.maps[action.spec.name] = generations[action.kept_from].maps[action.spec.name]
            return
        array = action.spec.type is MapType.ARRAY
        zero = bytes(action.spec.value_size)
        entries = {U32.pack(n): zero for n in range(action.spec.max_entries)} if array else {}
        generation.maps[action.spec.name] = (action.spec, self._next(), entries)

    def _PutEntries(self, action: PutEntries) -> None:  # noqa: N802
        generation = self._generation(action)
        spec, _, entries = generation.maps[action.map]
        if spec.type in (MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP):
            flagged = any(value[4:] != bytes(4) for value in action.entries.values())
            assert not flagged or action.program in generation.programs
        assert len(entries.keys() | action.entries.keys()) <= spec.max_entries, "E2BIG"
        entries.update(action.entries)

    def _DeleteEntries(self, action: DeleteEntries) -> None:  # noqa: N802
        generation = self._generation(action)
        spec, _, entries = generation.maps[action.map]
        assert spec.type is not MapType.ARRAY, "entries of an array cannot be deleted"
        for key in action.keys:
            del entries[key]
        self._nothing_dangles(action.interface)

    def _nothing_dangles(self, name: str) -> None:
        """No entry of the running program leads to a device entry that was taken away."""
        running = self.running(name)
        if running is None:
            return
        digest, generation = running
        layout = self.layouts[name]
        wanted = next((m.entries for m in layout.maps if m.spec.name == "devices"), {})
        for index in generation.entries("keys").values():
            here = index in generation.entries("devices")
            assert here or digest != layout.digest or index not in wanted

    def _LoadProgram(self, action: LoadProgram) -> None:  # noqa: N802
        generations = self.directories[action.interface].generations
        generation = generations.setdefault(action.generation, Generation())
        assert action.program.name not in generation.programs, "EEXIST"
        needed = {wanted.spec.name for wanted in action.maps}
        assert needed == generation.maps.keys(), "a program is loaded before its maps"
        generation.programs[action.program.name] = self._next()
        slots = self.directories[action.interface].slots
        layout = self.layouts[action.interface]
        assert all(slots.get(slot) == rule for rule, slot in layout.slots.items())
        generation.slots = frozenset(layout.slots.values())

    def _complete(self, name: str, digest: str) -> Generation:
        """A program goes live only with every entry that it needs."""
        generation = self.directories[name].generations[digest]
        layout = self.layouts[name]
        assert digest == layout.digest
        assert generation.programs.keys() == {program.name for program in layout.programs}
        for wanted in layout.maps:
            there = generation.maps[wanted.spec.name][2]
            assert wanted.entries.items() <= there.items(), f"{wanted.spec.name} is not filled"
        return generation

    def _Attach(self, action: Attach) -> None:  # noqa: N802
        generation = self._complete(action.interface, action.generation)
        assert action.ifindex not in self.hooks, "EBUSY"
        directory = self.directories[action.interface]
        assert directory.link is None, "EEXIST: the link is pinned"
        mode = XdpMode.GENERIC if action.generic else XdpMode.NATIVE
        self.hooks[action.ifindex] = Hook(generation.programs["redirect"], mode)
        directory.link = action.ifindex

    def _Swap(self, action: Swap) -> None:  # noqa: N802
        generation = self._complete(action.interface, action.generation)
        assert self.directories[action.interface].link == action.ifindex
        hook = self.hooks[action.ifindex]
        assert hook.program == action.old_program
        assert action.generic == (hook.mode is XdpMode.GENERIC)
        running = self.running(action.interface)
        assert running is not None
        for name, (spec, number, _) in running[1].maps.items():
            kept = spec.type is not MapType.XSKMAP or name not in generation.maps
            assert kept or generation.maps[name][1] == number, "a rule loses its sockets"
        hook.program = generation.programs["redirect"]

    def _Detach(self, action: Detach) -> None:  # noqa: N802
        directory = self.directories[action.interface]
        assert directory.link is not None
        if directory.link:
            assert self.hooks[directory.link].program == action.program != FOREIGN
            del self.hooks[directory.link]
        directory.link = None

    def _RemoveGeneration(self, action: RemoveGeneration) -> None:  # noqa: N802
        running = self.running(action.interface)
        assert running is None or running[0] != action.generation, "a running program is removed"
        del self.directories[action.interface].generations[action.generation]

    def _RemoveInterface(self, action: RemoveInterface) -> None:  # noqa: N802
        assert self.running(action.interface) is None
        assert not self.directories[action.interface].generations
        del self.directories[action.interface]

    def _RenameInterface(self, action: RenameInterface) -> None:  # noqa: N802
        assert action.to not in self.directories, "ENOTEMPTY"
        self.directories[action.to] = self.directories.pop(action.interface)

    def remove_device(self, ifindex: int) -> None:
        """What the kernel does by itself when a device goes."""
        self.hooks.pop(ifindex, None)
        for directory in self.directories.values():
            if directory.link == ifindex:
                directory.link = 0
            for generation in directory.generations.values():
                for spec, _, entries in generation.maps.values():
                    if spec.type in (MapType.DEVMAP, MapType.DEVMAP_HASH):
                        for key in [k for k, v in entries.items() if v[:4] == U32.pack(ifindex)]:
                            del entries[key]

    def dressed(self, link: Link) -> Link:
        """The link with what netlink says of its program."""
        hook = self.hooks.get(link.ifindex)
        if hook is None:
            return link
        return replace(link, xdp_prog_id=hook.program, xdp_mode=hook.mode)

    def observe(self) -> Observed:
        """As `agent.observe.observe`."""
        return Observed(
            interfaces={name: self._observe(name, d) for name, d in self.directories.items()},
            pass_programs={},
        )

    def _observe(self, name: str, directory: Directory) -> ObservedInterface:
        hook = self.hooks.get(directory.link or 0)
        return ObservedInterface(
            name=name,
            counters=True,
            slots=dict(directory.slots),
            generations={
                digest: ObservedGeneration(
                    digest=digest,
                    program=generation.programs.get("redirect", 0),
                    maps=observed_maps(generation),
                )
                for digest, generation in directory.generations.items()
            },
            attached_to=directory.link or 0,
            running=hook.program if hook else 0,
            mode=hook.mode if hook else XdpMode.NONE,
            dead_link=directory.link == 0,
            by_link=directory.link is not None,
        )
