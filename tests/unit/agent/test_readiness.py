"""Whose fault a failure is, and the file that says whether an agent is ready."""

import errno
from pathlib import Path

import pytest

from tests.unit.agent.test_node_orders import node
from tests.unit.agent.test_node_source import (
    SET,
    Cluster,
    news,
    patiently,
    server_was_told,
    settings_for,
    source,
)
from tests.unit.cluster.fake_server import event, serving
from xdpredirect.agent.act import Actor
from xdpredirect.agent.actions import Action, Attach, DeleteEntries, Detach, RemoveInterface
from xdpredirect.agent.machine import MachineAgent, _Pass
from xdpredirect.agent.node_source import NodeSource, cluster_source
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.readiness import READY_FILE, own_fault, readiness
from xdpredirect.agent.report import Report
from xdpredirect.controller.agents import Agents, daemon_set
from xdpredirect.errors import (
    CompileError,
    ForeignProgram,
    InvalidInput,
    KernelError,
    VerifierError,
    XdpRedirectError,
)
from xdpredirect.settings import Settings

NOTHING = Outcome(report=Report(objects=(), interfaces=()), actions=(), failures=())
ATTACH = Attach(interface="eth0", generation="g", ifindex=2, generic=None)
DETACH = Detach(interface="eth0", ifindex=2, program=7)
ELSEWHERE = DeleteEntries(interface="eth0", generation="g", map="m", keys=())


def ready(tmp_path: Path) -> bool:
    return (tmp_path / READY_FILE).exists()


@pytest.mark.parametrize(
    ("action", "error", "own"),
    [
        (ATTACH, KernelError("attach", errno.EOPNOTSUPP), False),
        (ATTACH, KernelError("attach", errno.EINVAL), False),
        (ATTACH, ForeignProgram("eth0", 7, "theirs"), False),
        (DETACH, KernelError("detach", errno.ENODEV), False),
        (ATTACH, KernelError("attach", errno.EPERM), True),
        (ATTACH, KernelError("attach", errno.EACCES), True),
        (ELSEWHERE, KernelError("delete", errno.EINVAL), True),
        (RemoveInterface(interface="eth0"), KernelError("remove", errno.EBUSY), True),
        (ELSEWHERE, CompileError("clang"), True),
        (ATTACH, VerifierError("redirect", errno.EINVAL, "log"), True),
    ],
)
def test_what_a_hook_refuses_is_not_the_agents_fault(
    action: Action, error: XdpRedirectError, own: bool
) -> None:
    assert own_fault(action, error) is own


def test_the_file_of_an_agent_that_died_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / READY_FILE
    path.parent.mkdir()
    path.touch()
    with readiness(tmp_path) as made:
        assert not ready(tmp_path)
        made.say(True)
        made.say(True)
        assert ready(tmp_path)
    assert not ready(tmp_path)


def test_an_agent_without_credentials_is_not_ready(tmp_path: Path) -> None:
    with serving(Cluster()) as server:
        settings = settings_for(server, tmp_path)
    (tmp_path / READY_FILE).parent.mkdir()
    (tmp_path / READY_FILE).touch()
    (tmp_path / "kubeconfig").write_text("{}")
    with pytest.raises(InvalidInput), cluster_source(settings):
        pass
    assert not ready(tmp_path)


def test_a_file_that_cannot_be_made_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / READY_FILE.parent).touch()
    with readiness(tmp_path) as made:
        made.say(True)
    assert "run/ready" in caplog.text


def test_a_pass_that_acted_on_the_spec_makes_it_ready(tmp_path: Path) -> None:
    with source(Cluster(node(addressSets=[])), tmp_path) as (made, _):
        news(made)
        assert made.take()
        assert not ready(tmp_path)
        made.report(NOTHING)
        assert ready(tmp_path)
        made.failed("list links: EPERM")
        assert not ready(tmp_path)
        made.report(NOTHING)
        assert ready(tmp_path)
    assert not ready(tmp_path)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(report=NOTHING.report, actions=(), failures=("eth0: attach: EBUSY",)), True),
        (
            Outcome(report=NOTHING.report, actions=(), failures=("e: x",), defects=("e: x",)),
            False,
        ),
        (Outcome(report=NOTHING.report, actions=(), failures=(), problems=("f: broken",)), False),
    ],
)
def test_only_the_agents_own_failures_count(
    tmp_path: Path, outcome: Outcome, expected: bool
) -> None:
    with source(Cluster(node(addressSets=[])), tmp_path) as (made, _):
        news(made)
        assert made.take()
        made.report(outcome)
        assert ready(tmp_path) is expected


def test_without_an_object_it_is_ready_once_the_server_said_so(tmp_path: Path) -> None:
    with source(Cluster(), tmp_path) as (made, _):
        news(made)
        assert not made.take()
        assert ready(tmp_path)
    # With a server that is not there, the same directory: nothing was heard.
    with serving(Cluster()) as server:
        settings = settings_for(server, tmp_path)
    with cluster_source(settings) as made:
        assert not made.take()
        assert not ready(tmp_path)


def test_what_was_wanted_last_is_not_yet_ready(tmp_path: Path) -> None:
    with source(Cluster(node(addressSets=[])), tmp_path) as (made, server):
        news(made)
        assert made.take()
        settings = settings_for(server, tmp_path)
    with cluster_source(settings) as made:
        assert made.take()
        made.report(NOTHING)
        assert not ready(tmp_path)


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_spec_is_not_ready(tmp_path: Path, first: bool) -> None:
    refused = node(requiredFeatures=["match/novel"])
    cluster = Cluster(refused if first else node(addressSets=[]))
    if not first:
        refused["metadata"]["generation"] += 1
        cluster.events = [event("MODIFIED", refused)]
    with source(cluster, tmp_path) as (made, server):
        for _ in patiently():
            made.drain()
            turn(made)
            if server_was_told(server, "AgentTooOld"):
                break
        assert not ready(tmp_path)


def turn(made: NodeSource) -> bool:
    """As a turn of the agent's loop."""
    taken = made.take()
    if taken:
        made.report(NOTHING)
    return taken


def test_sets_that_were_not_sent_yet_are_waited_for(tmp_path: Path) -> None:
    with source(Cluster(node(), sets=(SET,)), tmp_path) as (made, _):
        news(made)
        assert turn(made)
        assert not ready(tmp_path)
        news(made)
        assert turn(made)
        assert ready(tmp_path)


def test_the_probe_asks_for_the_file_that_the_agent_keeps() -> None:
    made = daemon_set(Agents(image="i"), "system")
    (container,) = made["spec"]["template"]["spec"]["containers"]  # type: ignore[index]
    state = next(m for m in container["volumeMounts"] if m["name"] == "state")["mountPath"]
    command = container["readinessProbe"]["exec"]["command"]
    assert command == ["test", "-e", str(Path(state) / READY_FILE)]


@pytest.mark.parametrize(
    ("error", "defects"),
    [
        (KernelError("attach", errno.EOPNOTSUPP), set()),
        (CompileError("clang"), {"eth0"}),
        (OSError(errno.ENOSPC, "full"), {"eth0"}),
    ],
)
def test_a_pass_keeps_its_own_failures_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, defects: set[str]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Actor, "perform", refuse)
    run = _Pass(dry_run=False)
    MachineAgent(Settings(state_dir=tmp_path, bpffs=tmp_path))._perform(run, "eth0", (ATTACH,))
    assert list(run.failures) == ["eth0"]
    assert run.defects == defects
