"""The operator dies in the middle of each of its writes: before the API server did it, and after
it did without anybody knowing. Whoever leads next goes on from there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import pytest

from tests.cluster.arena import Arena
from tests.cluster.faults import killing, writes_to
from tests.cluster.installed import SYSTEM
from xdpredirect.controller.actions import Action

DAEMON_SET = ("daemonset", "xdp-redirect-agent", "-n", SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The next request like this is the last of its operator."""

    action: str
    path: str
    method: str = "PATCH"


FINALIZER = Write(action="AddFinalizer", path="/xdpredirects/edge$")
SPEC = Write(action="ApplyNodeObject", path="/xdpredirectnodes/node-b$")
LABEL = Write(action="LabelNode", path="/nodes/node-b$")
STATUS = Write(action="ApplyStatus", path="/xdpredirects/edge/status$")
EVENT = Write(action="PostEvent", path="/events$", method="POST")
PODS = Write(action="ApplyDaemonSet", path="/daemonsets/")
LET_GO = Write(action="RemoveFinalizer", path="/xdpredirects/edge$")

APPLIED, WORKS, UNPLUGGED = (FINALIZER, SPEC, LABEL, STATUS), (EVENT,), (PODS,)
DELETED, LETS_GO = (SPEC, STATUS), (LABEL, LET_GO)


@pytest.fixture(autouse=True)
def _mended(arena: Arena) -> Iterator[None]:
    with arena.mended():
        yield


def test_every_action_is_here() -> None:
    here = {write.action for write in (*APPLIED, *WORKS, *UNPLUGGED, *DELETED, *LETS_GO)}
    assert here == {kind.__name__ for kind in get_args(Action)}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_write_in_the_life_of_an_object(arena: Arena, moment: str) -> None:
    agent = arena.b.node.agent
    agent.freeze(True)
    killed_at(arena, APPLIED, moment, arena.edge)
    agent.freeze(False)
    killed_at(arena, WORKS, moment, arena.restart)
    arena.restart()
    arena.until_ready(1)

    killed_at(arena, UNPLUGGED, moment, lambda: arena.cluster.kubectl("delete", *DAEMON_SET))
    arena.restart()
    arena.until(
        lambda: arena.cluster.try_kubectl(["get", *DAEMON_SET]).returncode == 0,
        "the DaemonSet is there again",
    )

    agent.freeze(True)
    killed_at(arena, DELETED, moment, arena.delete)
    assert arena.exists(), "node-b has not answered"
    agent.freeze(False)
    killed_at(arena, LETS_GO, moment, arena.restart)
    arena.restart()
    arena.until_gone()


@pytest.mark.parametrize("write", [FINALIZER, SPEC, STATUS], ids=lambda write: write.action)
def test_a_deletion_that_no_operator_saw(arena: Arena, write: Write) -> None:
    arena.front.fail(writes_to(write.path, write.method), killing(arena.operator, "after"))
    arena.edge()
    arena.until(lambda: arena.operator.pid is None, "it is in the middle, and killed")
    arena.delete()
    assert arena.exists(), "somebody may have been told"
    arena.restart()
    arena.until_gone()


def killed_at(
    arena: Arena, writes: tuple[Write, ...], moment: str, cause: Callable[[], object]
) -> None:
    """One operator after the other, each of which dies at the next of `writes`, and finds only what
    the one before has left."""
    for number, write in enumerate(writes):
        fault = killing(arena.operator, moment)
        met = arena.front.fail(writes_to(write.path, write.method), fault)
        if number == 0:
            cause()
        else:
            arena.restart()
        arena.until(lambda: arena.operator.pid is None, f"killed {moment} {write.action}")
        assert met.met == 1
