"""`prepare: Apply` in two steps around the datapath's changes. Called by `agent.machine`.

Settings are made before a program is attached and put back after it is gone, so that no frame is
lost in between.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from xdpredirect.agent.findings import Usage
from xdpredirect.agent.pins import Pins
from xdpredirect.agent.prepare import (
    PASS_PROGRAM,
    AttachPass,
    DetachPass,
    PrepareAction,
    Setting,
    plan_prepare,
    wanted_settings,
)
from xdpredirect.agent.report import Finding
from xdpredirect.errors import KernelError, VerifierError
from xdpredirect.host import Host
from xdpredirect.kernel.bpf import pin
from xdpredirect.kernel.prepare import perform, read_recorded
from xdpredirect.kernel.programs import AttachType, create_link, load_program

_PASS = bytes.fromhex("b7000000020000009500000000000000")
"""Two instructions: return XDP_PASS."""


class Preparer:
    """Makes and unmakes settings; knows what was recorded under the state directory."""

    def __init__(self, state_dir: Path, pins: Pins) -> None:
        self._state_dir, self._pins = state_dir, pins
        self.problems: list[str] = []

    def before(
        self, usages: Sequence[Usage], host: Host, dry_run: bool
    ) -> tuple[PrepareAction, ...]:
        """Make what is wanted; keep what is recorded, unless its place is needed."""
        self.problems.clear()
        recorded = read_recorded(self._state_dir)
        carrying = {usage.interface.ifindex for usage in usages}
        wanted = {(s.ifindex, s.knob): s for s in wanted_settings(usages, recorded, host)}
        for entry in recorded:
            if not (entry.knob == PASS_PROGRAM and entry.ifindex in carrying):
                kept = Setting(ifindex=entry.ifindex, knob=entry.knob, on=not entry.original)
                wanted.setdefault((entry.ifindex, entry.knob), kept)
        return self._perform(plan_prepare(sorted(wanted.values()), recorded, host), dry_run)

    def after(
        self, usages: Sequence[Usage], host: Host, dry_run: bool
    ) -> tuple[PrepareAction, ...]:
        """Put back what is not wanted any more."""
        recorded = read_recorded(self._state_dir)
        wanted = wanted_settings(usages, recorded, host)
        kept = {(s.ifindex, s.knob) for s in wanted}
        stale = [r for r in recorded if (r.ifindex, r.knob) not in kept]
        if not stale:
            return ()
        return self._perform(plan_prepare((), stale, host), dry_run)

    def _perform(
        self, actions: tuple[PrepareAction, ...], dry_run: bool
    ) -> tuple[PrepareAction, ...]:
        """What a driver refuses is noted; the rest goes on, for every setting helps by itself."""
        done: list[PrepareAction] = []
        for action in actions:
            try:
                if not dry_run:
                    self._one(action)
            except (KernelError, VerifierError) as error:
                self.problems.append(str(error))
            else:
                done.append(action)
        return tuple(done)

    def _one(self, action: PrepareAction) -> None:
        match action:
            case AttachPass(ifindex):
                self._attach(ifindex)
            case DetachPass(ifindex):
                (self._pins.passes / str(ifindex)).unlink(missing_ok=True)
            case _:
                perform(action, self._state_dir)

    def findings(self, usages: Sequence[Usage]) -> tuple[Finding, ...]:
        """What could not be set, for every object that asked for it."""
        return tuple(
            Finding(
                object=name,
                reason="PrepareFailed",
                message=f"{problem}; set it by hand, or say prepare: Report",
            )
            for name in sorted({usage.object for usage in usages if usage.prepare})
            for problem in self.problems
        )

    def _attach(self, ifindex: int) -> None:
        self._pins.passes.mkdir(exist_ok=True, mode=0o700)
        path = self._pins.passes / str(ifindex)
        program = load_program("xr_pass", _PASS, AttachType.XDP, frags=True)
        try:
            link = create_link(program, ifindex, generic=False)
        finally:
            os.close(program)
        try:
            # A pin of a device that went away may stand there still.
            path.unlink(missing_ok=True)
            pin(link, path)
        except OSError as error:
            raise KernelError(f"pin {path}", error.errno or errno.EIO) from error
        finally:
            os.close(link)
