"""Commands on a machine whose agent is running, was running, or ends meanwhile."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.unit.agent.stored import address_set, redirect
from tests.unit.cli.machines import Shell, an_agent, file
from xdpredirect.agent.store import Key, Store


def test_the_agent_does_it_and_apply_waits(shell: Shell) -> None:
    def agent_passes() -> None:
        if shell.seconds > 0.45:
            report = shell.machine.observe_report(shell.settings())
            documents = shell.store.read_all().objects.documents
            shell.store.record(report, documents, "2026-01-02T03:04:05Z")

    shell.on_sleep = agent_passes
    with an_agent(shell):
        typed = shell.type("apply", "-f", file(shell, redirect(), address_set()))
    assert typed.code == 0
    assert typed.err.startswith("waiting for the agent, pid ")
    assert typed.out.splitlines() == [
        "xdpaddressset/bots created",
        "xdpredirect/edge created: Ready, running on veth0",
    ]
    assert shell.machine.passes == []
    assert 0.4 < shell.seconds < 1


def test_an_agent_that_does_nothing(shell: Shell) -> None:
    with an_agent(shell):
        typed = shell.type("apply", "-f", file(shell, redirect()), "--timeout", "2")
    assert typed.code == 1
    assert "has not taken the change up in 2 s; the objects are kept" in typed.err
    assert 2 < shell.seconds < 3


def test_an_agent_that_ends_meanwhile_leaves_the_rest_to_us(shell: Shell) -> None:
    with contextlib.ExitStack() as agent:
        agent.enter_context(an_agent(shell))
        shell.on_sleep = agent.close
        typed = shell.type("apply", "-f", file(shell, redirect()))
    assert typed.code == 0
    assert "xdpredirect/edge created: Ready" in typed.out
    assert len(shell.machine.passes) == 1


def test_an_agent_that_follows_another_directory(shell: Shell) -> None:
    with an_agent(shell, Path("/etc/xdp")):
        typed = shell.type("apply", "-f", file(shell, redirect()))
    assert typed.code == 4
    assert typed.err.endswith(
        "which follows /etc/xdp (put the objects there); stop it or use another directory\n"
    )
    assert shell.store.read_all().objects.documents == ()


def test_where_a_cluster_says_what_is_wanted_the_cluster_is_to_be_changed(shell: Shell) -> None:
    path = file(shell, redirect())
    with an_agent(shell, shell.root / "state" / "node"):
        typed = shell.type("apply", "-f", path)
    assert typed.code == 4
    assert "change the cluster's XdpRedirects" in typed.err
    assert shell.store.read_all().objects.redirects == ()


def test_a_second_agent(shell: Shell) -> None:
    with an_agent(shell):
        typed = shell.type("agent")
    assert typed.code == 4
    assert "is held by pid " in typed.err


def test_status_follows_the_directory_of_the_agent(shell: Shell) -> None:
    directory = shell.root / "etc"
    directory.mkdir()
    (directory / "a.yaml").write_text(yaml.safe_dump(redirect("from-etc")))
    with an_agent(shell, directory):
        assert "from-etc" in shell.type("status").out


@pytest.mark.parametrize("told", ["", '{"pid": 4194305, "files": "/killed"}'])
def test_status_beside_an_agent_that_has_only_just_taken_the_lock(shell: Shell, told: str) -> None:
    """The lock file still says who had it before, or nothing: its directory is the one before."""
    directory = shell.root / "etc"
    directory.mkdir()
    (directory / "a.yaml").write_text(yaml.safe_dump(redirect("from-etc")))
    followed = replace(shell.settings(), files=directory)
    outcome = shell.machine.converge(followed)
    Store(followed.state_dir, directory).record(
        outcome.report, outcome.documents, "2026-01-02T03:04:05Z"
    )
    with an_agent(shell, directory):
        (followed.state_dir / "lock").write_text(told)
        assert "from-etc" in shell.type("status").out


def test_what_a_stopped_agent_applied_is_not_swept_away(shell: Shell) -> None:
    directory = shell.root / "etc"
    directory.mkdir()
    (directory / "a.yaml").write_text(yaml.safe_dump(redirect("from-etc")))
    followed = replace(shell.settings(), files=directory)
    outcome = shell.machine.converge(followed)
    store = Store(followed.state_dir, directory)
    store.record(outcome.report, store.read_all().objects.documents, "2026-01-02T03:04:05Z")
    path = file(shell, redirect("mine"))
    for words in (["apply", "-f", path], ["plan", "-f", path]):
        typed = shell.type(*words)
        assert typed.code == 4
        assert typed.err.startswith(
            f"error: {shell.root}/state is held by the objects of "
            f"{directory}, whose agent is not running"
        )
    assert "from-etc" in shell.type("status").out
    assert shell.machine.running == {"from-etc"}
    assert shell.type("delete", "--all").code == 0
    assert shell.machine.running == set()
    shell.store.forget_applied([Key("XdpRedirect", "from-etc")])
    assert shell.type("apply", "-f", path).code == 0


def test_an_agent_without_its_node_does_not_detach_what_the_cluster_wants(shell: Shell) -> None:
    directory = shell.root / "state" / "node"
    directory.mkdir(parents=True)
    (directory / "xdpredirect.from-cluster.json").write_text(json.dumps(redirect("from-cluster")))
    followed = replace(shell.settings(), files=directory)
    outcome = shell.machine.converge(followed)
    store = Store(followed.state_dir, directory)
    store.record(outcome.report, store.read_all().objects.documents, "2026-01-02T03:04:05Z")
    for words in (["agent"], ["agent", "--files", str(shell.root)]):
        typed = shell.type(*words)
        assert typed.code == 4
        assert "held by the objects of a cluster (give --node as before" in typed.err
    assert shell.machine.running == {"from-cluster"}
    assert shell.type("delete", "--all").code == 0
    shell.store.forget_applied([Key("XdpRedirect", "from-cluster")])
    assert shell.type("agent").code == 0


def test_delete_waits_too(shell: Shell) -> None:
    shell.type("apply", "-f", file(shell, redirect()))

    def agent_passes() -> None:
        wanted = shell.store.read_all().objects
        report = shell.machine.observe_report(shell.settings())
        shell.store.record(report, wanted.documents, "2026-01-02T03:04:06Z")

    shell.on_sleep = agent_passes
    with an_agent(shell):
        typed = shell.type("delete", "edge")
    assert (typed.code, typed.out) == (0, "xdpredirect/edge deleted\n")
