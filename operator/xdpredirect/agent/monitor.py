"""The drop monitor of one bpffs directory: there while something of ours is attached, and what it
counted. Called by `agent.machine`.

A kernel that cannot carry it, for want of BTF, does not stop anything else: `problem` then says
why, and it is tried again later.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from xdpredirect.agent.counters import read_counters
from xdpredirect.agent.ledger import Ledger, Reading, fold, forget, hand_over
from xdpredirect.agent.ledger_file import read_ledger, write_ledger
from xdpredirect.agent.losses import NO_HELPER, NO_MAP, UNLISTED, Scene
from xdpredirect.agent.meanings import Meanings, merge, to_remember
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.opened import remove_tree
from xdpredirect.agent.pins import Pins
from xdpredirect.agent.report import RuleCounters
from xdpredirect.datapath.abi import U64, Event, LossKey
from xdpredirect.errors import CompileError, KernelError, VerifierError
from xdpredirect.host import Host
from xdpredirect.kernel.bpf import ENOENT
from xdpredirect.kernel.compile import Compiler
from xdpredirect.kernel.maps import map_id, pinned_map, type_of_map
from xdpredirect.kernel.tracer import (
    KEY,
    LOSSES,
    OVERFLOW,
    SLOTS,
    TRACEPOINTS,
    install,
    read_losses,
)
from xdpredirect.xsk.holding import Holding

RETRY_SECONDS = 60.0
_CPU_EVENTS = (Event.CPUMAP_ENQUEUE, Event.CPUMAP_KTHREAD, Event.CPUMAP_PROGRAM)
_FILES = ("abi.h", "drop_monitor.c", "kernel.h", "traced.h")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETNS = Path("/proc/thread-self/ns/net")


class Monitor:
    """Installs, reads and removes it. The ledger is read from disk once and written when it has
    changed."""

    def __init__(
        self, pins: Pins, state_dir: Path, compiler: Compiler, sources: Mapping[str, str]
    ) -> None:
        self._pins, self._compiler, self._sources = pins, compiler, sources
        self._path = state_dir / "losses.json"
        text = "\0".join((*(sources[name] for name in _FILES), *TRACEPOINTS))
        self._directory = pins.monitor / hashlib.sha256(text.encode()).hexdigest()[:12]
        self._ledger: Ledger | None = None
        self._saved: Ledger | None = None
        self._try_again = 0.0
        self._types: dict[int, int] = {}
        self._boot = _BOOT.read_text().strip()
        self.problem = ""

    @property
    def ledger(self) -> Ledger:
        """What is known to be lost so far."""
        if self._ledger is None:
            self._ledger = read_ledger(self._path)
            self._saved = replace(self._ledger, time=0.0)
        return self._ledger

    def there(self) -> bool:
        """Whether frames are being counted."""
        return self._installed() is not None

    def ensure(self) -> None:
        """Install it where it is missing. What goes wrong ends up in `problem`."""
        if (self._directory / LOSSES.name).exists():
            self.problem = ""
            return
        if time.monotonic() < self._try_again:
            return
        try:
            self._install()
            self.problem = ""
        except (KernelError, CompileError, VerifierError, KeyError) as error:
            self.problem = str(error).splitlines()[0]
            self._try_again = time.monotonic() + RETRY_SECONDS
            remove_tree(self._directory)

    def _install(self) -> None:
        # What a process that was killed left here is not whole: the map of losses comes last.
        remove_tree(self._directory)
        self._directory.mkdir(parents=True, mode=0o700)
        install(self._directory, self._compiler, self._sources, _NETNS.stat().st_ino)
        for other in self._pins.monitor.iterdir():
            if other != self._directory:
                self._take_over(other)

    def _take_over(self, old: Path) -> None:
        """From an installation of another version, without losing or repeating a count."""
        ledger = self.ledger
        for link in old.glob("link-*"):
            link.unlink()
        monitor, last = _counts(old)
        if monitor == ledger.monitor:
            self._ledger = hand_over(ledger, last, *_counts(self._directory))
        remove_tree(old)

    def remove(self) -> None:
        """Unpin everything; what it counted must have been folded before."""
        remove_tree(self._pins.monitor)

    def fold(
        self,
        meanings: Meanings,
        seen: Observed,
        host: Host,
        sockets: Iterable[Holding] = (),
        before: bool = False,
    ) -> Ledger:
        """Add what was counted since the last fold to the ledger, in memory only.

        What `sockets` have lost counts while nothing is installed. `before` the pass acts, the
        rules that ran until now are those remembered.
        """
        old = self.ledger.meanings
        merged = merge(meanings, old) if before else merge(old, meanings)
        reading = self._reading(seen, sockets)
        scene = Scene(merged, host, self._types_of(reading.counts, merged))
        ledger = fold(self.ledger, reading, scene)
        keep = merged if before else to_remember(merged, meanings)
        self._ledger = replace(ledger, meanings=keep)
        return self._ledger

    def keep(
        self,
        meanings: Meanings,
        seen: Observed,
        host: Host,
        sockets: Iterable[Holding],
        objects: set[str],
    ) -> None:
        """Fold at the end of a pass and store it, without what `objects` no longer names.

        Raises OSError.
        """
        ledger = self.fold(meanings, seen, host, sockets)
        self._save(forget(self._without_others(ledger), objects))

    def _types_of(self, counts: Mapping[LossKey, int], meanings: Meanings) -> Mapping[int, int]:
        """Types of maps that are not ours, and that refused frames of this namespace."""
        refused = {key.map for key in counts if key.event == Event.REDIRECT_ERR}
        unknown = refused - meanings.maps.keys() - self._types.keys() - {NO_MAP, NO_HELPER}
        found = {number: type_of_map(number) for number in unknown}
        self._types.update((number, kind) for number, kind in found.items() if kind is not None)
        return self._types

    def _without_others(self, ledger: Ledger) -> Ledger:
        """Take out of the kernel what CPUMAPs of others lost: these events name no device, so those
        of all namespaces are counted, and would fill the map of causes in time."""
        known = ledger.meanings.maps
        others = {k for k in ledger.seen if k.event in _CPU_EVENTS and k.map not in known}
        directory = self._installed()
        if not others or directory is None:
            return ledger
        with pinned_map(directory / LOSSES.name) as losses:
            losses.delete_all([KEY.pack(*key) for key in others])
        kept = {key: count for key, count in ledger.seen.items() if key not in others}
        return replace(ledger, seen=kept)

    def _save(self, ledger: Ledger) -> None:
        """Nothing is written where only the time went by."""
        self._ledger = ledger
        if replace(ledger, time=0.0) != self._saved:
            write_ledger(self._path, ledger)
            self._saved = replace(ledger, time=0.0)

    def _installed(self) -> Path | None:
        found = sorted(path.parent for path in self._pins.monitor.glob(f"*/{LOSSES.name}"))
        return self._directory if self._directory in found else next(iter(found), None)

    def _reading(self, seen: Observed, sockets: Iterable[Holding]) -> Reading:
        now = datetime.now(UTC)
        counters: dict[tuple[str, str, str], RuleCounters] = {}
        for name, item in seen.interfaces.items():
            for slot, found in read_counters(self._pins, name, item.slots).items():
                if slot in item.slots:
                    counters[(name, *item.slots[slot])] = found
        monitor, counts = _counts(self._installed())
        return Reading(
            monitor=monitor,
            counts=counts,
            counters=counters,
            time=now.timestamp(),
            now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            sockets={f"{self._boot}:{found.cookie}": found for found in sockets},
        )


def _counts(directory: Path | None) -> tuple[str, dict[LossKey, int]]:
    """An installation, as boot and map id, and its counts; nothing where there is none."""
    if directory is None:
        return "", {}
    try:
        with pinned_map(directory / LOSSES.name) as losses:
            boot = _BOOT.read_text().strip()
            with pinned_map(directory / SLOTS.name) as slots:
                counts = read_losses(losses, slots)
            with pinned_map(directory / OVERFLOW.name) as overflow:
                (unlisted,) = U64.unpack(overflow.get(bytes(4)) or bytes(8))
            if unlisted:
                counts[UNLISTED] = unlisted
            return f"{boot}:{map_id(losses.fd)}", counts
    except KernelError as error:
        if error.errno == ENOENT:
            return "", {}
        raise
