"""A case through the real product: load, lay out, compile, verify, run frames, compare.

Called by `worker`. What differs from the reference comes back as a `Failure`, with everything that
is needed to see it again.
"""

import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.fuzz.batch import BatchCompiler
from tests.fuzz.case import Case
from tests.fuzz.reference import Outcome, RuleId, outcome
from tests.kernel import loaded
from tests.kernel.loaded import SOURCES, Loaded
from tests.spec.generate import Frame
from xdpredirect.agent.desired import desire
from xdpredirect.agent.effective import effective
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.report import Finding
from xdpredirect.api.redirect import XdpRedirect
from xdpredirect.datapath.abi import Slot
from xdpredirect.datapath.layout import Layout
from xdpredirect.datapath.source import flatten, sources_digest
from xdpredirect.errors import CompileError, XdpRedirectError

OTHER_DEVICE = "fuzz0"
_NOTHING = Observed(interfaces={}, pass_programs={})
_OWN_SLOTS = {("", slot.name): int(slot) for slot in (Slot.UNMATCHED, Slot.PROTECTED)}
# A page without headroom (XDP_PACKET_HEADROOM) and skb_shared_info: net/bpf/test_run.c
LINEAR = 4096 - 256 - 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`kind` is compile, verifier, verdict or counters; `frame` is empty for the first two."""

    kind: str
    message: str
    frame: str = ""
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a case. `refused` are objects that cannot share the interface, as the agent
    would say it in their status."""

    rules: int = 0
    frames: int = 0
    refused: tuple[str, ...] = ()
    failure: Failure | None = None


def other_ifindex() -> int:
    """Of the second device of the namespace."""
    return socket.if_nametoindex(OTHER_DEVICE)


def check(case: Case, compiler: BatchCompiler, objects: Sequence[XdpRedirect]) -> Result:
    """Compare the program of these objects with the reference on the frames of the case."""
    chosen = effective(objects, tuple(case.sets.values()), {}, {})
    desired = desire(chosen, case.host, _NOTHING, sources_digest(SOURCES))
    interface = desired.interfaces.get(case.arrival.name)
    if interface is None:
        return Result(refused=_refused(desired.findings))
    left = {each.name for each in interface.wanted.objects}
    kept = [each for each in objects if each.name in left]
    result = Result(
        rules=len(interface.layout.slots),
        frames=len(case.frames),
        refused=_refused(f for f in desired.findings if f.object not in left),
    )
    layout = _last_variants(interface.layout) if case.fallback else interface.layout
    try:
        _compile(layout, compiler)
        loaded.CACHE = compiler.cache
        with loaded.loaded_layout(layout) as program:
            return replace(result, failure=_run(case, program, kept))
    except XdpRedirectError as error:
        words = getattr(error, "log", "") or str(error)
        message = str(error).splitlines()[0] + ": " + words.strip().splitlines()[-1][:300]
        return replace(result, failure=Failure(kind=type(error).__name__, message=message))


def _refused(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(sorted({f"{f.object}: {f.reason}" for f in findings}))


def _last_variants(layout: Layout) -> Layout:
    programs = (replace(p, rendered=p.variants[-1], fallbacks=()) for p in layout.programs)
    return replace(layout, programs=tuple(programs))


def _compile(layout: Layout, compiler: BatchCompiler) -> None:
    """Into the cache, where the loader finds it: of each program the first variant that compiles.
    The loader tries all of them again, and compiles what is missing itself."""
    for program in layout.programs:
        for rendered in program.variants:
            source = flatten(f"{program.kind}.c", {**SOURCES, **dict(rendered)})
            with suppress(CompileError):
                compiler.fill(source, program.kind)
                break


def _run(case: Case, program: Loaded, objects: Sequence[XdpRedirect]) -> Failure | None:
    slots = {**program.layout.slots, **_OWN_SLOTS}
    before = _counters(program, slots)
    for frame in case.frames:
        linear = min(len(frame.data), LINEAR)
        wanted = outcome(case, objects, frame, linear)
        verdict = program.run(frame.data).verdict
        after = _counters(program, slots)
        counted = {
            rule: tuple(now - then for now, then in zip(after[rule], before[rule], strict=True))
            for rule in slots
            if after[rule] != before[rule]
        }
        before = after
        failure = _compare(frame, wanted, verdict, counted)
        if failure:
            return failure
    return None


def _counters(program: Loaded, slots: dict[RuleId, int]) -> dict[RuleId, tuple[int, ...]]:
    """Packets, octets, misses and errors of each slot."""
    sums = {rule: program.counters(slot) for rule, slot in slots.items()}
    return {rule: (s.packets, s.octets, s.misses, s.errors) for rule, s in sums.items()}


def _compare(
    frame: Frame, wanted: Outcome, verdict: int, counted: dict[RuleId, tuple[int, ...]]
) -> Failure | None:
    size = len(frame.data)
    expected = {rule: (1, size, int(rule in wanted.missed), 0) for rule in wanted.counted}
    if wanted.through:
        expected["", Slot.PROTECTED.name if wanted.spared else Slot.UNMATCHED.name] = (
            1,
            size,
            0,
            0,
        )
    if verdict == wanted.verdict and counted == expected:
        return None
    return Failure(
        kind="counters" if verdict == wanted.verdict else "verdict",
        message="the program and the reference disagree",
        frame=frame.data.hex(),
        expected=f"verdict {wanted.verdict}, counted {expected}",
        actual=f"verdict {verdict}, counted {counted}",
    )


def write(directory: Path, case: Case, failure: Failure, objects: Sequence[XdpRedirect]) -> Path:
    """Everything about a failure in one file, named after its seed."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{case.seed.replace('/', '-')}.txt"
    parts = [f"seed: {case.seed}", *(f"{k}: {v}" for k, v in asdict(failure).items())]
    parts += [f"host: {case.host}", *(f"object: {each}" for each in objects)]
    parts += [f"document: {document}" for document in case.documents]
    path.write_text("\n".join(parts) + "\n")
    return path
