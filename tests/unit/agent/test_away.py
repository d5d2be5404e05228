"""A device that was moved to another network namespace: what is planned, granted and said."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.agent.model_kernel import ModelKernel
from tests.unit.agent.worlds import World, converge
from tests.unit.datapath.samples import host, link, port, redirect, rule
from xdpredirect.agent.actions import Action as Planned
from xdpredirect.agent.actions import Attach, Detach, RemoveInterface, Swap
from xdpredirect.agent.away import away_findings, plan_unwanted, recall, to_remember
from xdpredirect.agent.away_file import AwayFile
from xdpredirect.agent.desired import Desired, desire
from xdpredirect.agent.effective import Effective, effective
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.plan import plan_interface
from xdpredirect.agent.renames import plan_renames
from xdpredirect.agent.report import Severity
from xdpredirect.agent.socket_devices import devices_of
from xdpredirect.agent.socket_grants import grants_of
from xdpredirect.api.action import Drop, Sockets, ToDevice
from xdpredirect.api.clients import PodClients
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Range
from xdpredirect.api.redirect import Mode, State, XdpRedirect
from xdpredirect.host import Host, Link, XdpMode

PODS = (PodClients(namespace="ids", selector=LabelSelector()),)
ACTION = Sockets(queues=(Range(0, 1),), users=("65534",), pods=PODS)
WANTED = redirect("o", [rule("r", port(7), ACTION)])
THERE = 6
"""Its number in the other namespace; it was 1."""


class Scene:
    """What runs after `before` was wanted on p1, which has left since; `here` are other links."""

    def __init__(self, before: XdpRedirect = WANTED, here: Sequence[Link] = ()) -> None:
        kernel = ModelKernel()
        world = World(redirects=(before,), sets=(), devices=(("p1", 1),))
        converge(world, kernel)
        seen = kernel.observe()
        chosen = effective([before], (), {}, {})
        p1 = kernel.dressed(link(1, "p1"))
        wanted = desire(chosen, host([p1]), seen, "sources")
        self.remembered = to_remember(wanted, seen, {})
        there = replace(seen.interfaces["p1"], attached_to=THERE, away=True, mode=XdpMode.NONE)
        self.seen = Observed(interfaces={"p1": there}, pass_programs={})
        self.host = host(here)

    def look(self, *wanted: XdpRedirect) -> tuple[Host, Observed, Effective, Desired]:
        """As a pass does."""
        chosen = effective(wanted, (), {}, {})
        there, seen = recall(self.host, self.seen, chosen, self.remembered)
        return there, seen, chosen, desire(chosen, there, seen, "sources")

    def plan(self, *wanted: XdpRedirect) -> list[Planned]:
        """All the actions of a pass."""
        there, seen, chosen, desired = self.look(*wanted)
        actions = [*plan_renames(seen, {found.ifindex: found.name for found in there.links})]
        for name, item in desired.interfaces.items():
            actions += plan_interface(item.wanted, item.layout, seen.interfaces.get(name))
        for name, item_there in seen.interfaces.items():
            if name not in desired.interfaces:
                actions += plan_unwanted(item_there, there, chosen)
        return actions


def kinds(actions: Sequence[Planned]) -> set[type]:
    return {type(action) for action in actions}


def test_it_runs_on_as_if_it_were_here() -> None:
    scene = Scene()
    assert scene.plan(WANTED) == []
    _, seen, _, desired = scene.look(WANTED)
    item = desired.interfaces["p1"]
    assert (item.wanted.link.ifindex, item.wanted.link.away) == (THERE, True)
    assert seen.interfaces["p1"].mode is XdpMode.NATIVE
    (grant,) = grants_of(desired, seen, None)
    assert (grant.away, grant.ifindex, grant.queues) == (True, THERE, frozenset({0, 1}))
    assert devices_of(desired, seen) == (), "its queues are no pod's to claim"


def test_a_rule_that_changes_changes_there() -> None:
    planned = Scene().plan(redirect("o", [rule("r", port(9), ACTION)]))
    assert [a.ifindex for a in planned if isinstance(a, Swap)] == [THERE]
    assert not kinds(planned) & {Attach, Detach}


def test_a_mode_that_changes_waits_for_its_return() -> None:
    generic = redirect("o", [rule("r", port(7), ACTION)], mode=Mode.GENERIC)
    scene = Scene()
    assert not kinds(scene.plan(generic)) & {Attach, Detach}
    _, seen, chosen, desired = scene.look(generic)
    (finding,) = away_findings(desired, seen, chosen)
    assert finding.message.endswith("It stays in mode Native until then")


@pytest.mark.parametrize("number", [THERE, 8])
def test_another_device_of_its_name_takes_its_place(number: int) -> None:
    scene = Scene(here=[link(number, "p1")])
    planned = [a for a in scene.plan(WANTED) if isinstance(a, Attach | Detach)]
    assert [(type(a), a.ifindex) for a in planned] == [(Detach, THERE), (Attach, number)]
    assert not scene.look(WANTED)[0].away


def test_a_device_of_its_number_is_another_one() -> None:
    scene = Scene(here=[link(THERE, "p9")])
    assert scene.plan(WANTED) == []
    both = redirect("o", [rule("r", port(7), ACTION)], ("p1", "p9"))
    attached = [a for a in scene.plan(both) if isinstance(a, Attach)]
    assert [(a.interface, a.ifindex) for a in attached] == [("p9", THERE)]


def test_without_sockets_it_is_taken_off_and_waited_for() -> None:
    wanted = redirect("o", [rule("r", port(7), Drop())])
    (action,) = Scene(wanted).plan(wanted)
    assert isinstance(action, Detach)
    assert action.ifindex == THERE


@pytest.mark.parametrize(
    "wanted", [[], [replace(WANTED, spec=replace(WANTED.spec, state=State.DETACHED))]]
)
def test_unwanted_it_is_taken_off_and_forgotten(wanted: list[XdpRedirect]) -> None:
    planned = Scene().plan(*wanted)
    assert isinstance(planned[0], Detach)
    assert isinstance(planned[-1], RemoveInterface)


def test_an_object_that_means_other_interfaces_now_lets_it_go() -> None:
    (action,) = Scene().plan(redirect("o", [rule("r", port(7), ACTION)], ("p2",)))
    assert isinstance(action, Detach)


def test_what_is_not_remembered_is_left_alone() -> None:
    scene = Scene()
    scene.remembered = {}
    assert scene.plan(WANTED) == []
    _, seen, chosen, desired = scene.look(WANTED)
    assert not grants_of(desired, seen, None)
    (finding,) = away_findings(desired, seen, chosen)
    assert (finding.object, finding.reason) == ("o", "InterfaceAway")
    assert "not remembered" in finding.message


def test_people_are_told() -> None:
    _, seen, chosen, desired = Scene().look(WANTED)
    (finding,) = away_findings(desired, seen, chosen)
    assert (finding.reason, finding.interface) == ("InterfaceAway", "p1")
    assert finding.severity is Severity.INFO
    assert "xdpredirect receive p1 --own-device" in finding.message


def test_it_is_no_target() -> None:
    """Its number leads to another device here, or to none."""
    to_it = rule("to", port(9), ToDevice(name="p1"))
    _, _, _, desired = Scene().look(redirect("o", [rule("r", port(7), ACTION), to_it]))
    (placed,) = desired.interfaces["p1"].wanted.objects
    assert [t.link for targets in placed.rules[1].devices.values() for t in targets] == [None]


def test_it_is_remembered_in_a_file(tmp_path: Path) -> None:
    scene = Scene()
    _, seen, chosen, desired = scene.look(WANTED)
    AwayFile(tmp_path).keep(desired, seen)
    there, _ = AwayFile(tmp_path).recall(scene.host, scene.seen, chosen)
    (recalled,) = there.away
    before = scene.remembered["p1"]
    for name in ("name", "alt_names", "kind", "driver", "mac", "features", "xdp_mode"):
        assert getattr(recalled, name) == getattr(before, name), name
    assert desire(chosen, there, seen, "sources").interfaces.keys() == {"p1"}
    # Nothing of ours is left of it: it need not be remembered.
    AwayFile(tmp_path).keep(desired, Observed(interfaces={}, pass_programs={}))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["", "[]", '{"p1": 1}', '{"p1": {"name": "p1"}}'])
def test_a_damaged_file_remembers_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "devices.json").write_text(text)
    scene = Scene()
    there, seen = AwayFile(tmp_path).recall(scene.host, scene.seen, scene.look(WANTED)[2])
    assert (there, seen) == (scene.host, scene.seen)
