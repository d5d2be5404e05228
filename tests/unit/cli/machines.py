"""A machine for the commands to talk to, without a kernel; and a way to type commands."""

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tests.unit.cli.samples import interface, rule, thing
from xdpredirect.agent.lock import hold
from xdpredirect.agent.report import Finding, Report
from xdpredirect.agent.store import Document, Store
from xdpredirect.cli.main import invoke
from xdpredirect.cli.runtime import Runtime
from xdpredirect.settings import Settings, read


@dataclass(frozen=True)
class Done:
    """An Outcome."""

    report: Report
    actions: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()


@dataclass
class Machine:
    """Runs every wanted object on veth0 and records how it was called."""

    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()
    selected: bool = True
    passes: list[tuple[Settings, bool]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    running: set[str] = field(default_factory=set)

    def converge(self, settings: Settings, *, dry_run: bool = False) -> Done:
        self.passes.append((settings, dry_run))
        store = Store(settings.state_dir, settings.files)
        wanted = store.read_all().objects
        names = {redirect.name for redirect in wanted.redirects}
        actions = [f"veth0: detach {name}" for name in sorted(self.running - names)]
        actions += [f"veth0: attach {name}" for name in sorted(names - self.running)]
        if not dry_run:
            self.running = names
            store.mark_applied(wanted.documents)
        return Done(self._report(settings), tuple(actions), self.failures, wanted.documents)

    def _report(self, settings: Settings) -> Report:
        wanted = Store(settings.state_dir, settings.files).read_all().objects
        carried = ("veth0",) if self.selected else ()
        objects = tuple(
            replace(
                thing(r.name, generation=r.generation, applied=r.generation, interfaces=carried),
                findings=tuple(f for f in self.findings if f.object == r.name),
                selected=self.selected,
            )
            for r in wanted.redirects
        )
        names = tuple(item.name for item in objects)
        rules = tuple(rule(name, "r", "Drop", (), 1234, 56789) for name in names)
        here = (interface("veth0", objects=names, rules=rules),) if names and self.selected else ()
        return Report(objects=objects, interfaces=here)

    def observe_report(self, settings: Settings) -> Report:
        if self.reports:
            return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]
        return self._report(settings)

    def run_agent(self, settings: Settings) -> int:
        self.passes.append((settings, False))
        return 0


@dataclass
class Typed:
    """What came of a command line."""

    code: int
    out: str
    err: str


@dataclass
class Shell:
    """A host of its own under `root`, and somebody who types."""

    root: Path
    machine: Machine = field(default_factory=Machine)
    width: int = 80
    environ: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    on_sleep: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.store = Store(self.root / "state")

    def settings(self) -> Settings:
        return read({"state_dir": str(self.root / "state")}, {})

    def runtime(self) -> Runtime:
        def sleep(seconds: float) -> None:
            self.seconds += seconds
            self.on_sleep()

        return Runtime(
            machine=lambda: self.machine,
            given={"state_dir": str(self.root / "state"), "bpffs": str(self.root / "bpf")},
            now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            monotonic=lambda: self.seconds,
            sleep=sleep,
        )

    def type(self, *words: str, stdin: str = "") -> Typed:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        variables = {"COLUMNS": str(self.width), **self.environ}
        with _environment(variables), contextlib.redirect_stderr(err):
            with contextlib.redirect_stdout(out), _standard_input(stdin):
                code = invoke(words, self.runtime())
            out.flush()
            text = out.buffer.getvalue().decode()
        return Typed(code, text, err.getvalue())


def file(shell: Shell, *documents: object, name: str = "r.yaml") -> str:
    """A file of these objects on the shell's host; returns its path."""
    path = shell.root / name
    path.write_text("---\n".join(yaml.safe_dump(document) for document in documents))
    return str(path)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _standard_input(text: str) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8")
    try:
        yield
    finally:
        sys.stdin = before


@contextlib.contextmanager
def an_agent(shell: Shell, files: Path | None = None) -> Iterator[None]:
    """Somebody holds the lock as an agent would; a thread of ours, since flock goes by file."""
    ready, end = threading.Event(), threading.Event()
    directory = files or shell.store.objects_dir

    def own() -> None:
        with hold(shell.root / "state", shell.root / "bpf", directory):
            ready.set()
            end.wait(20)

    thread = threading.Thread(target=own)
    thread.start()
    assert ready.wait(5)
    try:
        yield
    finally:
        end.set()
        thread.join()
