"""Queues that pods may claim: of rules that run and name pods, as many as the interface has."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.unit.agent.model_kernel import ModelKernel
from tests.unit.agent.worlds import World, converge
from tests.unit.datapath.samples import host, link, port, redirect, rule
from xdpredirect.agent.desired import Desired, desire
from xdpredirect.agent.effective import effective
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.socket_devices import devices_of
from xdpredirect.agent.socket_grants import grants_of
from xdpredirect.api.action import Sockets
from xdpredirect.api.clients import PodClients
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Range
from xdpredirect.api.node_pods import NodePod, NodePods
from xdpredirect.api.redirect import XdpRedirect
from xdpredirect.host import Link, XdpFeatures

PODS = (PodClients(namespace="ids", selector=LabelSelector()),)
P1 = replace(link(1, "p1"), rx_channels=4, driver="ice", numa_node=1)


def handing(name: str, first: int, last: int, to_users: bool = False, at: int = 7) -> XdpRedirect:
    to: dict[str, tuple[str, ...]] = {"users": ("65534",)} if to_users else {}
    clients = () if to_users else PODS
    action = Sockets(queues=(Range(first, last),), pods=clients, **to)  # type: ignore[arg-type]
    return redirect(name, [rule("r", port(at), action)])


def seen_of(redirects: Sequence[XdpRedirect]) -> Observed:
    """After the agent has done what is wanted."""
    kernel = ModelKernel()
    converge(World(redirects=tuple(redirects), sets=(), devices=(("p1", 1),)), kernel)
    return kernel.observe()


def desired(redirects: Sequence[XdpRedirect], seen: Observed, there: Link = P1) -> Desired:
    chosen = effective(redirects, (), {}, {})
    return desire(chosen, host([there]), seen, "sources")


def queues(redirects: Sequence[XdpRedirect], there: Link = P1) -> dict[int, str]:
    seen = seen_of(redirects)
    return {d.queue: d.redirect for d in devices_of(desired(redirects, seen, there), seen)}


def test_a_device_has_what_is_known_of_its_interface() -> None:
    wanted = [handing("ids", 0, 0)]
    seen = seen_of(wanted)
    (device,) = devices_of(desired(wanted, seen), seen)
    found = (device.interface, device.driver, device.numa_node, device.zero_copy)
    assert found == ("p1", "ice", 1, True)
    without = replace(P1, features=XdpFeatures.BASIC)
    (device,) = devices_of(desired(wanted, seen, without), seen)
    assert not device.zero_copy


@pytest.mark.parametrize(("channels", "found"), [(1, {0}), (2, {0, 1}), (8, {0, 1, 2, 3})])
def test_no_more_queues_than_the_interface_has(channels: int, found: set[int]) -> None:
    assert queues([handing("ids", 0, 3)], replace(P1, rx_channels=channels)).keys() == found


def test_a_queue_of_several_objects_is_of_the_first() -> None:
    objects = [handing("a", 0, 1), handing("b", 1, 2, at=8)]
    assert queues(objects) == {0: "a", 1: "a", 2: "b"}


def test_what_is_handed_to_users_is_not_to_be_claimed() -> None:
    assert queues([handing("ids", 0, 3, to_users=True)]) == {}


def test_a_rule_that_does_not_run_yet_offers_and_grants_nothing() -> None:
    wanted = [handing("ids", 0, 0)]
    seen = Observed(interfaces={}, pass_programs={})
    found = desired(wanted, seen)
    assert (devices_of(found, seen), grants_of(found, seen, None)) == ((), ())


def test_a_rule_is_offered_before_it_has_pods_and_granted_to_those_it_has() -> None:
    wanted = [handing("ids", 0, 0)]
    seen = seen_of(wanted)
    found = desired(wanted, seen)
    (nobody,) = grants_of(found, seen, None)
    assert nobody.pods == frozenset()
    one = NodePod(rule="r", namespace="ids", name="x", uid="u1")
    (grant,) = grants_of(found, seen, {"ids": NodePods(listed=(one,))})
    assert (grant.pods, grant.queues) == (frozenset({"u1"}), frozenset({0}))
    assert len(devices_of(found, seen)) == 1
