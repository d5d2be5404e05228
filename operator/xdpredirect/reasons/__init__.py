"""Why frames are lost, and what to do: one table of reasons.

Status, the command line and docs/drop-reasons.md are made from it. `agent.losses` asks it for
every cause of loss. Pure.
"""

from xdpredirect.reasons.devices import REFUSED
from xdpredirect.reasons.facts import Facts, MapKind, Own, Reason, words_of
from xdpredirect.reasons.flushed import FLUSHED
from xdpredirect.reasons.others import CPUS, PROGRAMS, SOCKETS

__all__ = ["HINT_LIMIT", "REASONS", "Facts", "MapKind", "Own", "Reason", "explain", "reason_of"]

HINT_LIMIT = 256
"""Characters of a hint in the status of an object."""

REASONS: tuple[Reason, ...] = (*REFUSED, *FLUSHED, *CPUS, *SOCKETS, *PROGRAMS)
"""In the order in which they are tried; the first that fits explains."""


def explain(facts: Facts) -> tuple[str, str]:
    """Name of the reason, and its hint: cause and fix with the names of this machine."""
    row = reason_of(facts)
    hint = f"{row.cause} {row.fix}".format_map(words_of(facts))
    if len(hint) > HINT_LIMIT:
        hint = hint[: HINT_LIMIT - 1].rsplit(" ", 1)[0] + "…"
    return row.name, hint


def reason_of(facts: Facts) -> Reason:
    """The row that fits; the last one of the table takes what no other does."""
    return next((row for row in REASONS if row.fits(facts)), REASONS[-1])
