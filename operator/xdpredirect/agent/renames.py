"""Devices that got another name, whose directories follow, and those that are gone. Pure; called by
`agent.machine` before anything else is planned."""

from collections.abc import Mapping

from xdpredirect.agent.actions import Action, RenameInterface
from xdpredirect.agent.effective import Effective
from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.plan import plan_removal
from xdpredirect.host import Host

MOVING = " moving"
"""End of a directory's name on its way; no interface can be called so."""


def plan_renames(observed: Observed, names: Mapping[int, str]) -> tuple[Action, ...]:
    """Directories follow their devices. `names` maps ifindexes to today's names."""
    moves = {
        seen.name: (f"{seen.attached_to}{MOVING}", names[seen.attached_to])
        for seen in observed.interfaces.values()
        if not seen.away and seen.attached_to in names and names[seen.attached_to] != seen.name
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


def waits_for_return(there: ObservedInterface, host: Host, chosen: Effective) -> bool:
    """Whether the directory of a device that is gone is kept for its return: its counters then
    go on where they stopped."""
    # A device that went away in the middle of a rename cannot come back under that name.
    if there.name.endswith(MOVING) or any(link.name == there.name for link in host.links):
        return False
    active = {o.name for o in chosen.redirects if o.spec.state != "Detached"}
    return any(owner in active for owner, _ in there.slots.values())
