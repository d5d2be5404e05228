"""In which order an installation is taken out of a cluster, and what is said meanwhile."""

import pytest

from xdpredirect.controller.removal import (
    DeleteAgents,
    DeleteNodeObject,
    DeleteRedirect,
    Remains,
    StopOperators,
    UnlabelNode,
    advice,
    steps,
    waiting,
)


def test_redirects_go_first_and_each_is_deleted_once() -> None:
    remains = Remains(redirects={"new": "", "going": "1 node detaches"}, replicas=2, leads=True)
    assert steps(remains) == (DeleteRedirect(name="new"),)
    assert steps(Remains(redirects={"going": "1 node detaches"}, leads=True)) == ()
    assert remains.attached


def test_operators_end_before_the_agents_that_they_would_make_anew() -> None:
    assert steps(Remains(replicas=2, leads=True)) == (StopOperators(),)
    assert steps(Remains(replicas=2, leads=False)) == (StopOperators(),)
    assert steps(Remains(leads=False, holder="operator-0")) == ()
    assert not Remains(leads=False).nothing


def test_the_rest_goes_at_once_when_nobody_else_acts() -> None:
    remains = Remains(leads=True, agents=True, labelled=("a",), told={"b": True, "a": False})
    assert steps(remains) == (
        DeleteAgents(),
        UnlabelNode(name="a"),
        DeleteNodeObject(name="a"),
        DeleteNodeObject(name="b"),
    )
    assert remains.silent == ("a",)
    assert not remains.nothing
    assert steps(Remains(leads=True)) == ()
    assert Remains(leads=True).nothing


def test_what_is_waited_for_is_named_and_what_helps() -> None:
    many = Remains(redirects={f"r{n}": "node-1 detaches" for n in range(7)}, leads=True)
    assert waiting(many).startswith("r0: node-1 detaches; r1: ")
    assert waiting(many).endswith("; and 2 more")
    assert "run this again" in advice(many)
    assert waiting(Remains(redirects={"new": ""})) == "new: not deleted yet"
    held = Remains(leads=False, holder="operator-0")
    assert waiting(held) == "the operator has to end first; operator-0 holds the lease"
    assert advice(held).startswith("end that operator")
    assert "nobody holds the lease" in waiting(Remains(leads=False))
    assert "agents" in waiting(Remains(leads=True, agents=True))
    assert advice(Remains(leads=True, agents=True)).startswith("run this again")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (DeleteRedirect(name="edge"), "xdpredirect/edge: delete"),
        (StopOperators(), "operator: scale its Deployment to 0"),
        (DeleteAgents(), "agents: delete their DaemonSet"),
        (UnlabelNode(name="a"), "node a: take the label away"),
        (DeleteNodeObject(name="a"), "xdpredirectnode/a: delete"),
    ],
)
def test_each_step_is_a_sentence(step: object, words: str) -> None:
    assert str(step) == words
