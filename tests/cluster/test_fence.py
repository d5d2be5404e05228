"""What a stolen token of an agent is good for: real requests, refused in words."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.installed import AGENT, SYSTEM, agent_token, install, remove_agents
from tests.cluster.thefts import (
    APPLY,
    CORE,
    EMPTY,
    HERE,
    MERGE,
    NODES,
    THEFTS,
    THERE,
    Theft,
    node_object,
)
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Answer, Wire


def report(wire: Wire, name: str, revision: int = 1) -> Answer:
    """An agent's write: its status, by server-side apply."""
    body = {**node_object(name), "status": {"observedRevision": revision}}
    del body["spec"]
    path = f"{NODES}/{name}/status?fieldManager=xdpredirect-agent&force=true"
    return wire.request("PATCH", path, body, APPLY)


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> Iterator[str]:
    """Of the agent on HERE."""
    install(cluster)
    yield agent_token(cluster, HERE)
    remove_agents(cluster, HERE)


@pytest.fixture
def thief(cluster: Cluster, wire: Wire, token: str) -> Iterator[Wire]:
    """Requests with that token, beside the node objects of two nodes."""
    made = Wire(cluster, token)
    for name in (HERE, THERE):
        assert wire.create("xdpredirectnodes", node_object(name)).status == 201
    # A policy is in force some moments after it was stored.
    until(lambda: report(made, THERE).status == 403, "the policy is in force")
    yield made
    for name in (HERE, THERE):
        assert wire.request("DELETE", f"{NODES}/{name}").status == 200


@pytest.fixture
def with_every_right(cluster: Cluster) -> Iterator[None]:
    """Somebody gave the agents cluster-admin: what is refused now, the policy alone refuses."""
    name = "fence-every-right"
    account = f"--serviceaccount={SYSTEM}:{AGENT}"
    cluster.kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", account)
    yield
    cluster.kubectl("delete", "clusterrolebinding", name)


def test_an_agent_reports_about_its_own_node(thief: Wire, wire: Wire) -> None:
    assert report(thief, HERE, 7).status == 200
    stored = wire.request("GET", f"{NODES}/{HERE}").body
    assert (stored["status"], stored["spec"]) == ({"observedRevision": 7}, EMPTY)


def test_an_agent_reads_what_it_needs(thief: Wire) -> None:
    for path in (
        f"{NODES}/{HERE}",
        f"{NODES}?fieldSelector=metadata.name%3D{HERE}",
        f"{GROUP}/xdpaddresssets",
    ):
        assert thief.request("GET", path).status == 200, path


def test_it_does_not_report_about_another_node(thief: Wire, wire: Wire) -> None:
    answer = report(thief, THERE)
    assert answer.status == 403
    assert (
        f'the agent of node "{HERE}" must not write the status of XdpRedirectNode "{THERE}"'
        in answer.message
    )
    assert "status" not in wire.request("GET", f"{NODES}/{THERE}").body


@pytest.mark.parametrize(("content_type", "method"), [(MERGE, "PATCH"), (APPLY, "PATCH")])
def test_a_status_write_carries_nothing_else(
    thief: Wire, wire: Wire, content_type: str, method: str
) -> None:
    before = wire.request("GET", f"{NODES}/{HERE}").body
    body = node_object(HERE) | {"status": {"observedRevision": 3}}
    body["spec"] = {**EMPTY, "revision": 99}
    body["metadata"] = {
        "name": HERE,
        "labels": {"stolen": "yes"},
        "annotations": {"stolen": "yes"},
        "finalizers": ["example.com/stolen"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": HERE, "uid": "1"}],
    }
    query = "?fieldManager=xdpredirect-agent" + ("&force=true" if content_type == APPLY else "")
    path = f"{NODES}/{HERE}/status{query}"
    assert thief.request(method, path, body, content_type).status == 200
    after = wire.request("GET", f"{NODES}/{HERE}").body
    assert after["status"] == {"observedRevision": 3}
    assert after["spec"] == before["spec"]
    kept = before["metadata"].keys() - {"managedFields", "resourceVersion"}
    assert {k: after["metadata"][k] for k in after["metadata"].keys() & kept} == {
        k: before["metadata"][k] for k in kept
    }
    assert not {"labels", "annotations", "finalizers"} & after["metadata"].keys()


@pytest.mark.parametrize("theft", THEFTS.values(), ids=list(THEFTS))
def test_it_has_no_right_to_anything_else(thief: Wire, theft: Theft) -> None:
    answer = thief.request(*theft)
    assert answer.status == 403, answer
    assert f'User "system:serviceaccount:{SYSTEM}:{AGENT}" cannot' in answer.message


POLICY = "writes the status of its XdpRedirectNode and nothing else, not "
WRITES: dict[str, tuple[str, str]] = {
    "its own spec": (POLICY, f'xdpredirectnodes "{HERE}"'),
    "its own spec, applied": (POLICY, f'xdpredirectnodes "{HERE}"'),
    "its own labels": (POLICY, f'xdpredirectnodes "{HERE}"'),
    "the spec of another": (POLICY, f'xdpredirectnodes "{THERE}"'),
    "a node object more": (POLICY, 'xdpredirectnodes "fence-c"'),
    "its own object removed": (POLICY, f'xdpredirectnodes "{HERE}"'),
    "every node object removed": (POLICY, 'xdpredirectnodes ""'),
}


@pytest.mark.parametrize("theft", WRITES)
def test_the_policy_holds_where_roles_are_too_wide(
    thief: Wire, with_every_right: None, theft: str
) -> None:
    until(lambda: thief.request("GET", f"{CORE}/secrets").status == 200, "the role is in force")
    answer = thief.request(*THEFTS[theft])
    assert answer.status == 403, answer
    assert f'the agent of node "{HERE}"' in answer.message
    for words in WRITES[theft]:
        assert words in answer.message


def test_the_policy_holds_for_every_kind_of_ours(
    thief: Wire, with_every_right: None, wire: Wire
) -> None:
    until(lambda: thief.request("GET", f"{CORE}/secrets").status == 200, "the role is in force")
    made = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpAddressSet",
        "metadata": {"name": "fence"},
        "spec": {"cidrs": ["192.0.2.0/24"]},
    }
    answer = thief.create("xdpaddresssets", made)
    assert answer.status == 403
    assert 'not xdpaddresssets "fence"' in answer.message
    assert report(thief, THERE).status == 403
    assert report(thief, HERE).status == 200


def test_a_token_that_names_no_node_reports_about_none(
    cluster: Cluster, thief: Wire, wire: Wire
) -> None:
    unbound = Wire(cluster, cluster.token_for(AGENT, SYSTEM))
    answer = report(unbound, HERE)
    assert answer.status == 403
    assert "the token of this agent names no node" in answer.message
    assert "status" not in wire.request("GET", f"{NODES}/{HERE}").body


def test_an_installation_in_another_namespace_is_fenced_too(
    cluster: Cluster, thief: Wire, wire: Wire
) -> None:
    cluster.kubectl("create", "namespace", "elsewhere")
    account = f"--serviceaccount=elsewhere:{AGENT}"
    try:
        cluster.kubectl("create", "serviceaccount", AGENT, "-n", "elsewhere")
        binding = ("clusterrolebinding", "fence-elsewhere", f"--clusterrole={AGENT}", account)
        cluster.kubectl("create", *binding)
        other = Wire(cluster, cluster.token_for(AGENT, "elsewhere"))
        until(lambda: other.request("GET", NODES).status == 200, "the role is in force")
        assert "the token of this agent names no node" in report(other, HERE).message
    finally:
        cluster.kubectl("delete", "clusterrolebinding", "fence-elsewhere", "--ignore-not-found")
        cluster.kubectl("delete", "namespace", "elsewhere", "--wait=false")


def test_others_are_not_held_by_the_policy(thief: Wire, wire: Wire) -> None:
    assert report(wire, THERE).status == 200


def rights(wire: Wire) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of everything that the server says its user may do."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": SYSTEM},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = wire.request("POST", path, review)
    return {
        (group, resource, verb)
        for rule in answer.body["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_its_rights_are_these_and_no_more(cluster: Cluster, thief: Wire) -> None:
    everybody = rights(Wire(cluster, cluster.token_for("default", "default")))
    read = {
        ("xdpredirect.io", kind, verb)
        for kind in ("xdpredirectnodes", "xdpaddresssets")
        for verb in ("get", "list", "watch")
    }
    report = ("xdpredirect.io", "xdpredirectnodes/status", "patch")
    assert rights(thief) - everybody == read | {report}
