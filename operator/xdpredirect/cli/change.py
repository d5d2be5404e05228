"""Carries out a change of the stored objects: by ourselves, or by the agent that is running.

Called by `apply` and `delete`. With no agent the command owns the lock and converges; with an
agent that follows our store it writes the files and waits until the agent's status shows them.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from xdpredirect.agent import status as status_json
from xdpredirect.agent.lock import Holder, hold, holder
from xdpredirect.agent.report import Report
from xdpredirect.agent.store import Change, Document, Key, Store, generation_of, key_of, node_dir
from xdpredirect.cli.exits import say
from xdpredirect.cli.runtime import Outcome, Runtime
from xdpredirect.errors import Locked, XdpRedirectError
from xdpredirect.settings import Settings

POLL_SECONDS = 0.1
# A command that holds the lock ends by itself; this covers a cold compilation of many programs.
COMMAND_SECONDS = 30.0
# Between finding the lock taken and looking for its owner, that owner may end.
GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to change in the store: documents to put, objects to remove. `clears` says that
    nothing at all is to be left, wherever it came from."""

    put: tuple[Document, ...] = ()
    remove: tuple[Key, ...] = ()
    clears: bool = False

    def write(self, store: Store) -> tuple[Change, ...]:
        """Do it. Returns one change per object, removed ones with the verb deleted."""
        changes = store.put(self.put)
        gone = tuple(Change(key, 0, "deleted") for key in store.remove(self.remove))
        return (*changes, *gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it. `by` is the agent that did it, None when we did; its actions are not
    known, so `actions` is empty then."""

    changes: tuple[Change, ...]
    report: Report
    actions: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    by: Holder | None = None


def carry_out(runtime: Runtime, settings: Settings, edit: Edit, timeout: float) -> Result:
    """Write the edit and see it done.

    Raises Locked when another owner is in the way, XdpRedirectError when the agent does not take
    the change up in `timeout` seconds.
    """
    store = Store(settings.state_dir)
    changes: tuple[Change, ...] | None = None
    started = runtime.monotonic()
    while True:
        try:
            with hold(settings.state_dir, settings.bpffs):
                _refuse_other_source(settings, store, edit)
                # An agent that ended while we waited leaves its part to us.
                written = edit.write(store) if changes is None else changes
                return _by_ourselves(runtime, settings, store, written)
        except Locked as error:
            owner = _owner(settings, error, runtime.monotonic() - started)
        if owner is not None and owner.files is not None:
            if changes is None:
                changes = edit.write(store)
                say(f"waiting for the agent, {owner}")
            elif _seen(store.read_status(), changes):
                return _by_agent(store, changes, owner)
        if changes is not None and runtime.monotonic() - started > timeout:
            raise XdpRedirectError(
                f"the agent, {owner}, has not taken the change up in {timeout:g} s; "
                "the objects are kept, its log says why"
            )
        runtime.sleep(POLL_SECONDS)


def _owner(settings: Settings, error: Locked, waited: float) -> Holder | None:
    """The owner to wait for; None when it has just ended. Raises Locked where waiting is vain."""
    owner = holder(settings.state_dir)
    if owner is None:
        if waited > GRACE_SECONDS:
            raise error  # It is the bpffs directory that another state directory's owner holds.
    elif owner.files is None:
        if waited > COMMAND_SECONDS:
            raise error
    elif owner.files != settings.state_dir / "objects":
        raise Locked(
            str(settings.state_dir),
            f"{owner}, which follows {owner.files} ({_instead(settings, owner.files)})",
        )
    return owner


def _refuse_other_source(settings: Settings, store: Store, edit: Edit) -> None:
    """An agent with --files that is stopped, perhaps for a minute, still owns what it applied."""
    source = store.other_source()
    if source is not None and not edit.clears:
        raise Locked(
            str(settings.state_dir),
            f"the objects of {source}, whose agent is not running ({_instead(settings, source)}, "
            "or clear the machine with `xdpredirect delete --all`)",
        )


def _instead(settings: Settings, source: Path) -> str:
    """What to do when another source says what is wanted here."""
    if source == node_dir(settings.state_dir):
        return "change the cluster's XdpRedirects"
    return "put the objects there"


def _seen(snapshot: Mapping[str, object], changes: tuple[Change, ...]) -> bool:
    """Whether the agent's last pass was about these generations."""
    seen = snapshot.get("generations")
    if not isinstance(seen, Mapping):
        return False
    return all(seen.get(str(change.key), 0) == change.generation for change in changes)


def _by_agent(store: Store, changes: tuple[Change, ...], owner: Holder) -> Result:
    report = status_json.report_from_dict(store.read_status().get("report"))
    failures = tuple(f"{item.name}: {item.error}" for item in report.interfaces if item.error)
    return Result(changes=changes, report=report, failures=failures, by=owner)


def rehearse(runtime: Runtime, settings: Settings, edit: Edit) -> Result:
    """What carrying it out would do. The store is copied; neither it nor the kernel is changed."""
    store = Store(settings.state_dir)
    _refuse_other_source(settings, store, edit)
    with tempfile.TemporaryDirectory(prefix="xdpredirect-plan-") as directory:
        copy = Store(Path(directory))
        kept = {key_of(d): d for d in store.read_all().objects.documents}
        copy.put(kept.values())
        verbs = {change.key: change for change in edit.write(copy)}
        changes = tuple(_real(change, kept.get(change.key)) for change in verbs.values())
        outcome = runtime.machine().converge(
            replace(settings, files=copy.objects_dir), dry_run=True
        )
    return _result(changes, outcome)


def _real(change: Change, before: Document | None) -> Change:
    """The change with the generation that the real store would give; the copy began at 1."""
    if change.verb == "deleted" or before is None:
        return change
    return change._replace(generation=generation_of(before) + (change.verb == "configured"))


def _by_ourselves(
    runtime: Runtime, settings: Settings, store: Store, changes: tuple[Change, ...]
) -> Result:
    outcome = runtime.machine().converge(replace(settings, files=store.objects_dir))
    store.record(outcome.report, outcome.documents, runtime.timestamp())
    return _result(changes, outcome)


def _result(changes: tuple[Change, ...], outcome: Outcome) -> Result:
    return Result(
        changes=changes,
        report=outcome.report,
        actions=tuple(str(action) for action in outcome.actions),
        failures=outcome.failures,
    )
