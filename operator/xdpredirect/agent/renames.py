"""The plan for devices that got another name: their directories follow. Pure; called by
`agent.machine` before anything else is planned."""

from collections.abc import Mapping

from xdpredirect.agent.actions import Action, RenameInterface
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.plan import plan_removal

MOVING = " moving"
"""End of a directory's name on its way; no interface can be called so."""


def plan_renames(observed: Observed, names: Mapping[int, str]) -> tuple[Action, ...]:
    """Directories follow their devices. `names` maps ifindexes to today's names."""
    moves = {
        seen.name: (f"{seen.attached_to}{MOVING}", names[seen.attached_to])
        for seen in observed.interfaces.values()
        if seen.attached_to in names and names[seen.attached_to] != seen.name
    }
    # Through a name that no interface can have, so that two devices may have exchanged theirs;
    # that of its ifindex, so that what an accident left half done is never in the way.
    away = [
        RenameInterface(interface=old, to=between)
        for old, (between, _) in sorted(moves.items())
        if old != between
    ]
    in_the_way = [
        action
        for name in sorted({new for _, new in moves.values()} - moves.keys())
        if name in observed.interfaces
        for action in plan_removal(observed.interfaces[name])
    ]
    there = [RenameInterface(interface=between, to=new) for between, new in sorted(moves.values())]
    return (*away, *in_the_way, *there)
