"""What an agent may do with claims and slices, and what a stolen token of one may not."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.installed import AGENT, SYSTEM, agent_token, install, remove_agents
from tests.cluster.thefts import APPLY, CORE, HERE, MERGE, THERE
from tests.cluster.waiting import until
from tests.cluster.wire import Answer, Wire
from xdpredirect.dra.devices import DRIVER, Device
from xdpredirect.dra.slices import Pool, plan

GROUP = "/apis/resource.k8s.io/v1"
SLICES = f"{GROUP}/resourceslices"
CLAIMS = f"{GROUP}/namespaces/default/resourceclaims"
DEVICES = [
    Device(interface=name, queue=3, redirect="ids", driver="ice", numa_node=0, zero_copy=True)
    for name in ("eth0", "eth0.100", "ETH_0")
]


def slice_of(node: str, driver: str = DRIVER) -> dict[str, Any]:
    """As an agent makes it."""
    (made,) = plan(Pool(node=node), DEVICES, []).apply
    made["spec"]["driver"] = driver  # type: ignore[index]
    return made


def publish(wire: Wire, node: str, driver: str = DRIVER) -> Answer:
    made = slice_of(node, driver)
    name = made["metadata"]["name"]
    query = "fieldManager=xdpredirect-agent&force=true&fieldValidation=Strict"
    return wire.request("PATCH", f"{SLICES}/{name}?{query}", made, APPLY)


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> Iterator[str]:
    """Of the agent on HERE."""
    install(cluster)
    cluster.kubectl("apply", "--server-side", "-k", str(ROOT / "config/claims"))
    yield agent_token(cluster, HERE)
    remove_agents(cluster, HERE)
    cluster.kubectl("delete", "-k", str(ROOT / "config/claims"))


@pytest.fixture
def agent(cluster: Cluster, wire: Wire, token: str) -> Iterator[Wire]:
    """Requests with that token, once roles and policy are in force."""
    made = Wire(cluster, token)
    until(lambda: "another node or driver" in publish(made, THERE).message, "the policy")
    remove_slices(wire)
    yield made
    remove_slices(wire)


def remove_slices(wire: Wire) -> None:
    for name in names(wire):
        assert wire.request("DELETE", f"{SLICES}/{name}").status == 200


@pytest.fixture
def with_every_right(cluster: Cluster, agent: Wire) -> Iterator[None]:
    """Somebody gave the agents cluster-admin: what is refused now, the policy alone refuses."""
    name = "claims-every-right"
    account = f"--serviceaccount={SYSTEM}:{AGENT}"
    cluster.kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", account)
    until(lambda: agent.request("GET", f"{CORE}/secrets").status == 200, "the role is in force")
    yield
    cluster.kubectl("delete", "clusterrolebinding", name)
    until(lambda: agent.request("GET", f"{CORE}/secrets").status == 403, "the role is gone")


def names(wire: Wire) -> list[str]:
    items = wire.request("GET", SLICES).body["items"]
    return [item["metadata"]["name"] for item in items]


def test_the_server_has_what_the_agent_publishes_and_nothing_more(agent: Wire, wire: Wire) -> None:
    assert publish(agent, HERE).status == 201
    (name,) = names(wire)
    stored = wire.request("GET", f"{SLICES}/{name}").body
    # As it is compared: the server has added nothing, so that it is not written again.
    assert plan(Pool(node=HERE), DEVICES, [stored]).apply == ()
    assert publish(agent, HERE).status == 200
    fields = f"spec.nodeName%3D{HERE},spec.driver%3D{DRIVER}"
    found = agent.request("GET", f"{SLICES}?fieldSelector={fields}").body["items"]
    assert [item["metadata"]["name"] for item in found] == [name]
    assert agent.request("DELETE", f"{SLICES}/{name}").status == 200
    assert names(wire) == []


@pytest.mark.parametrize("rights", ["its role", "every right"])
def test_it_publishes_for_no_other_node_and_no_other_driver(
    agent: Wire, wire: Wire, request: pytest.FixtureRequest, rights: str
) -> None:
    if rights == "every right":
        request.getfixturevalue("with_every_right")
    assert publish(wire, THERE).status == 201
    (name,) = names(wire)
    for answer in (
        publish(agent, THERE),
        publish(agent, HERE, "gpu.example.com"),
        agent.request("PATCH", f"{SLICES}/{name}", {"metadata": {"labels": {"a": "b"}}}, MERGE),
        agent.request("DELETE", f"{SLICES}/{name}"),
    ):
        assert answer.status == 403
        assert f'"{HERE}" must not write a ResourceSlice of another' in answer.message
    assert agent.request("DELETE", SLICES).status == 403
    assert names(wire) == [name]


def test_it_reads_the_claim_that_kubelet_names_and_lists_none(agent: Wire, wire: Wire) -> None:
    made = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "one"},
        "spec": {
            "devices": {"requests": [{"name": "q", "exactly": {"deviceClassName": DRIVER}}]},
        },
    }
    assert wire.request("POST", CLAIMS, made).status == 201
    try:
        assert agent.request("GET", f"{CLAIMS}/one").status == 200
        for method, path in (
            ("GET", CLAIMS),
            ("GET", f"{GROUP}/resourceclaims"),
            ("DELETE", f"{CLAIMS}/one"),
            ("GET", f"{GROUP}/deviceclasses"),
        ):
            assert agent.request(method, path).status == 403, (method, path)
        for path in (f"{CLAIMS}/one", f"{CLAIMS}/one/status"):
            assert agent.request("PATCH", path, {"status": {}}, MERGE).status == 403
    finally:
        assert wire.request("DELETE", f"{CLAIMS}/one").status == 200


def test_with_every_right_it_still_writes_no_claim(
    agent: Wire, wire: Wire, with_every_right: None
) -> None:
    made = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": "stolen.example.com"},
        "spec": {},
    }
    answer = agent.request("POST", f"{GROUP}/deviceclasses", made)
    assert answer.status == 403
    assert "writes ResourceSlices of its node and nothing else, not deviceclasses" in answer.message


def test_a_token_that_names_no_node_publishes_nothing(
    cluster: Cluster, agent: Wire, wire: Wire
) -> None:
    unbound = Wire(cluster, cluster.token_for(AGENT, SYSTEM))
    answer = publish(unbound, HERE)
    assert answer.status == 403
    assert "the token of this agent names no node" in answer.message
    assert names(wire) == []


def test_without_what_is_in_config_claims_it_has_no_rights(cluster: Cluster, agent: Wire) -> None:
    cluster.kubectl("delete", "clusterrolebinding", "xdp-redirect-agent-claims")
    try:
        until(lambda: agent.request("GET", SLICES).status == 403, "the role is gone")
        assert publish(agent, HERE).status == 403
        assert agent.request("GET", f"{CLAIMS}/one").status == 403
    finally:
        cluster.kubectl("apply", "--server-side", "-k", str(ROOT / "config/claims"))
