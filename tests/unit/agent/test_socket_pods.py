"""Pods between the operator and the broker: kept on disk, and what people are told of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.datapath.samples import redirect, rule
from xdpredirect.agent.pods_file import FILE, read_pods, write_pods
from xdpredirect.agent.socket_pods import pod_findings
from xdpredirect.api.action import Sockets
from xdpredirect.api.clients import PodClients
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Range
from xdpredirect.api.node_pods import NodePod, NodePods
from xdpredirect.api.redirect import XdpRedirect

POD = NodePod(rule="r", namespace="ids", name="ids-0", uid="u-1")
HOST = replace(POD, name="ids-1", uid="u-2", refused="HostNetwork")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pods = {"edge": NodePods(listed=(POD, HOST), left_out=2), "more": NodePods()}
    write_pods(tmp_path / "state", pods)
    assert read_pods(tmp_path / "state") == pods
    before = (tmp_path / "state" / FILE).stat().st_ino
    write_pods(tmp_path / "state", pods)
    assert (tmp_path / "state" / FILE).stat().st_ino == before
    write_pods(tmp_path / "state", {})
    assert read_pods(tmp_path / "state") == {}


@pytest.mark.parametrize("content", ["", "[]", '{"edge": []}', '{"edge": {"pods": [{}]}}', "{"])
def test_a_file_that_cannot_be_read_grants_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert read_pods(tmp_path) == {}
    (tmp_path / FILE).unlink()
    assert read_pods(tmp_path) == {}


def edge(users: tuple[str, ...] = (), pods: bool = True) -> XdpRedirect:
    """An object named edge with one rule."""
    clients = (PodClients(namespace="ids", selector=LabelSelector()),) if pods else ()
    action = Sockets(queues=(Range(0, 0),), users=users, pods=clients)
    return redirect("edge", [rule("r", action=action)])


@pytest.mark.parametrize(
    ("given", "pods", "reasons"),
    [
        (edge(), None, ["NoCluster"]),
        (edge(users=("0",)), None, ["NoCluster"]),
        (edge(users=("0",), pods=False), None, []),
        (edge(), {}, []),
        (edge(), {"edge": NodePods(listed=(POD,))}, []),
        (edge(), {"edge": NodePods(listed=(POD, HOST))}, ["HostNetwork"]),
        (edge(), {"edge": NodePods(listed=(replace(HOST, rule="other"),))}, []),
        (edge(), {"edge": NodePods(listed=(POD,), left_out=9)}, ["TooManyPods"]),
        (edge(), {"other": NodePods(listed=(HOST,), left_out=9)}, []),
    ],
)
def test_what_people_are_told(
    given: XdpRedirect, pods: dict[str, NodePods] | None, reasons: list[str]
) -> None:
    found = pod_findings([given], pods)
    assert [finding.reason for finding in found] == reasons
    assert all((finding.object, finding.rule) == ("edge", "r") for finding in found)


def test_pods_are_named_once_however_many_there_are() -> None:
    many = tuple(replace(HOST, name=f"ids-{i}", uid=f"u-{i}") for i in range(3))
    (finding,) = pod_findings([edge()], {"edge": NodePods(listed=many)})
    assert "selects pod ids/ids-0 and 2 more in the network of the host" in finding.message
