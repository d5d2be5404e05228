"""The planner against a model of the kernel: cut off after any action, or in the middle of one, the
next plan leads to the same end, and on the way nothing that runs loses what it needs."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.agent.model_kernel import FOREIGN, ModelKernel
from tests.unit.agent.model_pins import Hook
from tests.unit.agent.worlds import (
    World,
    assert_caches_are_right,
    assert_recovers,
    converge,
    enter,
    plan,
    walk,
    worlds,
)
from xdpredirect.host import XdpMode

PATHS = st.lists(worlds(), min_size=2, max_size=3)
SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(PATHS)
def test_a_converged_state_needs_nothing(path: list[World]) -> None:
    kernel = walk(path)
    assert list(plan(path[-1], kernel)) == []
    assert_caches_are_right(kernel)


@SLOW
@given(PATHS, st.integers(0, 40), st.booleans())
def test_any_prefix_then_again_leads_to_the_same_end(
    path: list[World], stop: int, half: bool
) -> None:
    assert_recovers(path, stop, half)


@SLOW
@given(st.lists(worlds(), min_size=2, max_size=2), st.integers(0, 60), st.integers(0, 60))
def test_two_crashes_and_a_changed_mind(path: list[World], first: int, second: int) -> None:
    kernel = walk(path[:1])
    enter(path[1], kernel, path[0])
    converge(path[1], kernel, stop_after=first, half=True)
    enter(path[0], kernel, path[1])
    converge(path[0], kernel, stop_after=second)
    converge(path[0], kernel)
    assert list(plan(path[0], kernel)) == []
    assert_caches_are_right(kernel)


@SLOW
@given(worlds())
def test_deleting_every_object_leaves_nothing(world: World) -> None:
    kernel = walk([world])
    converge(World(redirects=(), sets=(), devices=world.devices), kernel)
    assert not kernel.directories
    assert not kernel.hooks


@SLOW
@given(PATHS)
def test_a_foreign_program_is_left_alone(path: list[World]) -> None:
    """The other interface goes on."""
    kernel = ModelKernel(hooks={1: Hook(FOREIGN, XdpMode.NATIVE)})
    world = path[0]
    converge(world, kernel)
    assert kernel.hooks[1] == Hook(FOREIGN, XdpMode.NATIVE)
    wanted = walk([world])
    assert kernel.hooks.keys() == wanted.hooks.keys() | {1}
