"""What of the fleet a scrape is about, copied by the thread that owns it. Pure; asked for by
`exporter`, through the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.controller.counted import Cause
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.rollup import TOP


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectView:
    """One XdpRedirect. `status` is the one that is written, `packets` are totals that never go back
    (`counted`), `losses` the causes that cost most."""

    name: str
    status: Mapping[str, object]
    packets: Mapping[str, int]
    lost: int
    losses: tuple[tuple[Cause, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """`nodes` and `node_objects` are how many there are."""

    nodes: int
    node_objects: int
    redirects: tuple[RedirectView, ...]


def view(fleet: Fleet) -> FleetView:
    """As it is now; costs what there are redirects, whatever the number of nodes."""
    return FleetView(
        nodes=len(fleet.nodes),
        node_objects=len(fleet.objects),
        redirects=tuple(_redirect(fleet, name) for name in sorted(fleet.redirects)),
    )


def _redirect(fleet: Fleet, name: str) -> RedirectView:
    counted = fleet.tallies[name].counted
    # As many as the status lists, and equal ones by name as there.
    top = sorted(counted.losses.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    return RedirectView(
        name=name,
        status=fleet.redirects[name].status,
        packets={
            "redirected": counted.redirected,
            "passed": counted.passed,
            "dropped": counted.dropped,
        },
        lost=counted.lost,
        losses=tuple(top),
    )
