"""The `.status` of an XdpRedirectNode from what the agent found. Pure.

Called by `agent.node_source` after every pass. Whatever the schema bounds is within its bounds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xdpredirect import conditions as kstatus
from xdpredirect.agent.node_entry import Entry, entry_of, leftover
from xdpredirect.agent.orders import Refusal
from xdpredirect.agent.outcome import Lingering
from xdpredirect.agent.report import Report
from xdpredirect.api.node_size import fit_status
from xdpredirect.conditions import Condition, Truth, Verdict

Document = dict[str, object]
REDIRECTS_LIMIT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Who reports. `features` are the names that spec.requiredFeatures may hold."""

    agent_version: str
    kernel_version: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What there is to say. `generation` is that of the node object, `revision` that of its spec,
    `refusal` why that spec is not followed. `uids` are those of the wanted objects by name.
    `report` is None when the machine could not even be looked at: `problem` then says why.
    `reading_sets` says that address sets are wanted that the API server has not sent yet.
    """

    generation: int
    revision: int
    report: Report | None
    uids: Mapping[str, str] = field(default_factory=dict)
    lingering: tuple[Lingering, ...] = ()
    refusal: Refusal | None = None
    problem: str = ""
    reading_sets: bool = False


def node_status(
    found: Findings, about: About, previous: Mapping[str, object], now: str
) -> Document:
    """The whole status; `previous` is the one before, `now` RFC 3339."""
    entries = _entries(found)
    redirects = [entry.value for entry in entries]
    if found.report is None:
        redirects = _listed(previous.get("redirects"))
    verdict = _verdict(found, entries)
    made = kstatus.conditions(verdict, found.generation, _conditions(previous), now)
    return fit_status(
        {
            "observedRevision": _observed(found, previous),
            "agentVersion": about.agent_version[:64],
            "kernelVersion": about.kernel_version[:64],
            "features": sorted(about.features),
            "conditions": [kstatus.to_dict(condition) for condition in made],
            "redirects": redirects[:REDIRECTS_LIMIT],
        }
    )


def _entries(found: Findings) -> list[Entry]:
    if found.report is None:
        return []
    interfaces = found.report.interfaces
    wanted = [
        entry_of(one, interfaces, found.uids.get(one.name, ""), found.reading_sets)
        for one in found.report.objects
    ]
    errors = {item.name: item.error for item in interfaces if item.error}
    return [*wanted, *(leftover(item, errors) for item in found.lingering)]


def _observed(found: Findings, previous: Mapping[str, object]) -> int:
    """A pass that failed has not acted on the spec."""
    before = previous.get("observedRevision")
    if found.report is None and not found.refusal:
        return before if isinstance(before, int) else 0
    return found.revision


def _verdict(found: Findings, entries: Sequence[Entry]) -> Verdict:
    risks = [entry for entry in entries if entry.risk]
    degraded, risk_words = (risks[0].risk, _words(risks, risk=True)) if risks else ("", "")
    truth, reason, message, progressing, stalled = _standing(found, entries)
    return Verdict(
        ready=truth,
        reason=reason,
        message=message,
        progressing=progressing,
        stalled=stalled,
        degraded=degraded,
        degraded_message=risk_words,
    )


def _standing(found: Findings, entries: Sequence[Entry]) -> tuple[Truth, str, str, bool, bool]:
    """Ready's status, reason and message, whether it goes on, whether it is stuck; worst first."""
    if found.refusal:
        return Truth.FALSE, found.refusal.reason, found.refusal.message, False, True
    if found.report is None:
        return Truth.FALSE, "ApplyFailed", found.problem, True, False
    stuck = [entry for entry in entries if entry.state in ("Stalled", "Conflicted")]
    if stuck:
        return Truth.FALSE, stuck[0].reason, _words(stuck), False, True
    failed = [entry for entry in entries if entry.state == "Failed"]
    if failed:
        return Truth.FALSE, failed[0].reason, _words(failed), True, False
    pending = [entry for entry in entries if entry.state == "Pending"]
    if pending:
        return Truth.UNKNOWN, pending[0].reason, _words(pending), True, False
    if not entries:
        return Truth.TRUE, "NothingWanted", "no XdpRedirect selects this node", False, False
    running = sum(entry.state == "Active" for entry in entries)
    words = f"{running} of {len(entries)} XdpRedirects are running here"
    return Truth.TRUE, "Redirecting" if running else entries[0].reason, words, False, False


def _words(entries: Iterable[Entry], risk: bool = False) -> str:
    return "; ".join(f"{one.name}: {one.risk_message if risk else one.message}" for one in entries)


def _listed(value: object) -> list[Document]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _conditions(status: Mapping[str, object]) -> tuple[Condition, ...]:
    try:
        return tuple(kstatus.from_dict(item) for item in _listed(status.get("conditions")))
    except (KeyError, TypeError, ValueError):
        # Written by another version: transition times start again, nothing else depends on it.
        return ()
