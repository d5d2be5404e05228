"""What still runs on a node and nobody wants any more."""

from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.outcome import Lingering, lingering

GONE = Lingering(name="old", uid="u-old", generation=4, interfaces=("ens1f0",))


def _observed(attached: int) -> Observed:
    slots = {1: ("edge", "r"), 2: ("old", "r"), 3: ("stranger", "r")}
    seen = ObservedInterface(
        name="ens1f0", counters=True, slots=slots, generations={}, attached_to=attached
    )
    return Observed(interfaces={"ens1f0": seen}, pass_programs={})


def test_lingering_is_what_still_runs_and_nobody_wants() -> None:
    applied: list[dict[str, object]] = [
        {"kind": "XdpRedirect", "metadata": {"name": "old", "uid": "u-old", "generation": 4}},
        {"kind": "XdpAddressSet", "metadata": {"name": "stranger", "generation": 1}},
    ]
    assert lingering(applied, ["edge"], _observed(7)) == (
        GONE,
        Lingering(name="stranger", uid="", generation=0, interfaces=("ens1f0",)),
    )
    assert lingering(applied, ["edge"], _observed(0)) == ()
