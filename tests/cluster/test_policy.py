"""config/ as a whole on a real API server, and what the operator's token is good for."""

import json
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.installed import AGENT, PARTS, SYSTEM, install, operator_token
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Answer, Wire
from tests.unit.api.changes import example
from xdpredirect.cli.main import cli
from xdpredirect.controller.agents import daemon_set, read_agents
from xdpredirect.settings import Settings, this_pod

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
REDIRECTS = f"{GROUP}/xdpredirects"
NO_MANIFESTS = ("kustomization.yaml", "agents.yaml")
FINALIZER = "xdpredirect.io/cleanup"
OTHERS = {"ValidatingAdmissionPolicy": 3, "ValidatingAdmissionPolicyBinding": 3, "Deployment": 1}


@pytest.fixture(scope="module")
def rendered(cluster: Cluster) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", str(ROOT / "config"))))


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    install(cluster)
    return operator_token(cluster)


@pytest.fixture
def operator(cluster: Cluster, wire: Wire, token: str) -> Iterator[Wire]:
    """Requests with the operator's token, beside an XdpRedirect called `edge`."""
    made = Wire(cluster, token)
    assert wire.create("xdpredirects", edge()).status == 201
    until(lambda: patched(made, {"spec": {"priority": 7}}).status == 403, "the policy is in force")
    yield made
    wire.request("PATCH", f"{REDIRECTS}/edge", {"metadata": {"finalizers": None}}, MERGE)
    assert wire.request("DELETE", f"{REDIRECTS}/edge").status == 200


def edge() -> dict[str, Any]:
    document = example("device.yaml")
    document["metadata"] = {"name": "edge"}
    return document


def patched(wire: Wire, change: dict[str, Any]) -> Answer:
    return wire.request("PATCH", f"{REDIRECTS}/edge", change, MERGE)


def test_the_server_takes_everything(cluster: Cluster, rendered: list[dict[str, Any]]) -> None:
    install(cluster)
    said = cluster.kubectl("apply", "--server-side", "--dry-run=server", "-k", str(ROOT / "config"))
    assert len(said.splitlines()) == len(rendered)
    kinds = [document["kind"] for document in rendered]
    assert kinds.count("CustomResourceDefinition") == len(list((ROOT / "crds").glob("*.yaml")))
    assert {kind: kinds.count(kind) for kind in OTHERS} == OTHERS


def test_every_file_is_part_of_it(rendered: list[dict[str, Any]]) -> None:
    files = [p for p in (ROOT / "config").rglob("*.yaml") if p.name not in NO_MANIFESTS]
    wanted = {
        (document["kind"], document["metadata"]["name"])
        for path in [*files, *(ROOT / "crds").glob("*.yaml")]
        for document in yaml.safe_load_all(path.read_text())
    }
    found = {(d["kind"], d["metadata"]["name"]) for d in rendered if d["kind"] != "ConfigMap"}
    assert found == wanted
    assert {path.parent.name for path in files} == {*PARTS, "operator"}


def test_no_role_has_a_wildcard_or_a_secret(rendered: list[dict[str, Any]]) -> None:
    roles = [d for d in rendered if d["kind"] in ("Role", "ClusterRole")]
    assert len(roles) == 6
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in json.dumps(rule), role["metadata"]["name"]
            assert not {"secrets", "pods", "configmaps"} & set(rule["resources"])
            assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])


def test_who_may_view_a_cluster_may_view_our_objects(cluster: Cluster, token: str) -> None:
    """And nobody who may only edit one redirects frames; that is a role of its own."""
    for role in ("view", "edit", "admin", "xdp-redirect-editor"):
        cluster.kubectl("create", "clusterrolebinding", f"to-{role}", f"--user={role}",
                        f"--clusterrole={role}")  # fmt: skip
    try:
        until(lambda: may(cluster, "view", "get", "xdpredirects"), "roles are aggregated")
        assert {user: writes(cluster, user) for user in ("view", "edit", "admin")} == {
            "view": set(), "edit": set(), "admin": set()
        }  # fmt: skip
        assert writes(cluster, "xdp-redirect-editor") == {"xdpredirects", "xdpaddresssets"}
    finally:
        names = [f"to-{role}" for role in ("view", "edit", "admin", "xdp-redirect-editor")]
        cluster.kubectl("delete", "clusterrolebinding", *names)


def may(cluster: Cluster, user: str, verb: str, resource: str) -> bool:
    plural, _, sub = resource.partition("/")
    asked = ["auth", "can-i", verb, f"{plural}.xdpredirect.io", f"--as={user}"]
    if sub:
        asked.append(f"--subresource={sub}")
    return cluster.try_kubectl(asked).stdout.startswith("yes")


def writes(cluster: Cluster, user: str) -> set[str]:
    kinds = ("xdpredirects", "xdpaddresssets", "xdpredirectnodes", "xdpredirects/status")
    verbs = ("create", "patch")
    return {kind for kind in kinds if any(may(cluster, user, verb, kind) for verb in verbs)}


def test_the_expressions_have_no_type_errors(cluster: Cluster, token: str) -> None:
    def checked() -> list[dict[str, Any]]:
        found = json.loads(cluster.kubectl("get", "validatingadmissionpolicies", "-o", "json"))
        ours = [i for i in found["items"] if i["metadata"]["name"].startswith("xdp-redirect")]
        assert len(ours) == 3
        return [i["status"] for i in ours if "observedGeneration" in i.get("status", {})]

    until(lambda: len(checked()) == 3, "the controller has checked every policy")
    for status in checked():
        assert status["typeChecking"] == {}, status


def test_the_operators_pods_hold_to_the_restricted_level(
    cluster: Cluster, rendered: list[dict[str, Any]]
) -> None:
    (deployment,) = (d for d in rendered if d["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    assert deployment["spec"]["replicas"] == 2
    cluster.kubectl("create", "namespace", "restricted")
    try:
        level = "pod-security.kubernetes.io/enforce=restricted"
        cluster.kubectl("label", "namespace", "restricted", level)
        cluster.kubectl("create", "serviceaccount", "xdp-redirect-operator", "-n", "restricted")
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = {"name": "operator", "namespace": "restricted"}
        create = ("create", "--dry-run=server", "-f", "-")
        assert "created" in cluster.kubectl(*create, input=json.dumps(pod))
        # The level is in force: the same pod with one thing more is refused.
        pod["spec"]["hostNetwork"] = True
        refused = cluster.try_kubectl(create, input=json.dumps(pod))
        assert 'violates PodSecurity "restricted:latest": host namespaces' in refused.stderr
    finally:
        cluster.kubectl("delete", "namespace", "restricted")


def test_the_operators_pods_run_a_command_that_there_is(rendered: list[dict[str, Any]]) -> None:
    (deployment,) = (d for d in rendered if d["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert container["command"] == ["xdpredirect"]
    name, *options = [word.replace("$(POD_NAMESPACE)", SYSTEM) for word in container["args"]]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    given = command.make_context(name, options).params
    assert (given["namespace"], given["log"]) == (SYSTEM, "json")
    (port,) = container["ports"]
    assert Settings().probes == f":{port['containerPort']}"
    assert {item["name"] for item in container["env"]} == {"POD_NAME", "POD_NAMESPACE"}
    assert this_pod({"POD_NAME": "operator-1"}) == "operator-1"
    (config,) = (d for d in rendered if d["kind"] == "ConfigMap")
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    (mount,) = container["volumeMounts"]
    assert [f"{mount['mountPath']}/{file}" for file in config["data"]] == [given["agents"]]


@pytest.fixture
def agents(rendered: list[dict[str, Any]]) -> Any:
    """The DaemonSet that the operator makes of the file in config/."""
    (config,) = (d for d in rendered if d["kind"] == "ConfigMap")
    (text,) = config["data"].values()
    return daemon_set(read_agents(yaml.safe_load(text)), SYSTEM)


def test_the_agents_are_what_the_operator_may_apply(operator: Wire, agents: Any) -> None:
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/{agents['metadata']['name']}"
    query = "fieldManager=xdpredirect-operator&fieldValidation=Strict&dryRun=All"
    answer = operator.request("PATCH", f"{path}?{query}", agents, APPLY)
    assert answer.status == 201, answer.message


def test_pods_of_agents_are_let_in(cluster: Cluster, token: str, agents: Any) -> None:
    """And nowhere else than in a namespace of that level."""
    spec = agents["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == AGENT
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent"}, "spec": spec}
    create = ("create", "--dry-run=server", "-f", "-", "-n")
    assert "created" in cluster.kubectl(*create, SYSTEM, input=json.dumps(pod))
    cluster.kubectl("create", "namespace", "baseline")
    try:
        level = "pod-security.kubernetes.io/enforce=baseline"
        cluster.kubectl("label", "namespace", "baseline", level)
        cluster.kubectl("create", "serviceaccount", AGENT, "-n", "baseline")
        refused = cluster.try_kubectl([*create, "baseline"], input=json.dumps(pod)).stderr
        assert all(word in refused for word in ("host namespaces", "hostPath", "PERFMON")), refused
    finally:
        cluster.kubectl("delete", "namespace", "baseline")


def test_the_operator_sets_its_finalizer_and_no_spec(operator: Wire, wire: Wire) -> None:
    assert patched(operator, {"metadata": {"finalizers": [FINALIZER]}}).status == 200
    answer = patched(operator, {"spec": {"priority": 7}})
    assert answer.status == 403
    assert 'the operator must not change the spec of XdpRedirect "edge"' in answer.message
    stored = wire.request("GET", f"{REDIRECTS}/edge").body
    assert stored["metadata"]["finalizers"] == [FINALIZER]
    assert (stored["spec"]["priority"], stored["metadata"]["generation"]) == (500, 1)
    # Also when it lets go of an object that is being deleted.
    assert wire.request("DELETE", f"{REDIRECTS}/edge").status == 200
    assert patched(operator, {"metadata": {"finalizers": None}}).status == 200
    assert wire.request("GET", f"{REDIRECTS}/edge").status == 404
    assert wire.create("xdpredirects", edge()).status == 201


def test_people_change_specs(operator: Wire, wire: Wire) -> None:
    assert patched(wire, {"spec": {"priority": 7}}).status == 200


def test_the_operator_writes_statuses(operator: Wire) -> None:
    body = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": "edge"},
        "status": {"observedGeneration": 1},
    }
    path = f"{REDIRECTS}/edge/status?fieldManager=xdpredirect-operator&force=true"
    assert operator.request("PATCH", path, body, APPLY).status == 200


THEFTS = {
    "statuses of nodes": ("PATCH", f"{GROUP}/xdpredirectnodes/a/status"),
    "address sets": ("GET", f"{GROUP}/xdpaddresssets"),
    "an address set changed": ("PATCH", f"{GROUP}/xdpaddresssets/a"),
    "an object of somebody": ("DELETE", f"{REDIRECTS}/edge"),
    "an object more": ("POST", REDIRECTS),
    "secrets": ("GET", "/api/v1/secrets"),
    "pods": ("GET", f"/api/v1/namespaces/{SYSTEM}/pods"),
    "a node's status": ("PATCH", "/api/v1/nodes/a/status"),
    "a node removed": ("DELETE", "/api/v1/nodes/a"),
    "the schemas": ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    "its lease removed": (
        "DELETE",
        f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/xdp-redirect-operator",
    ),
    "its agents removed": (
        "DELETE",
        f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/xdp-redirect-agent",
    ),
    "what events say": ("GET", "/apis/events.k8s.io/v1/namespaces/default/events"),
    "daemon sets elsewhere": ("GET", "/apis/apps/v1/namespaces/kube-system/daemonsets"),
    "leases elsewhere": ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"),
    "roles": ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
}


@pytest.mark.parametrize("theft", THEFTS)
def test_it_has_no_right_to_anything_else(operator: Wire, theft: str) -> None:
    method, path = THEFTS[theft]
    body: dict[str, Any] | None = None if method in ("GET", "DELETE") else {}
    answer = operator.request(
        method, path, body, MERGE if method == "PATCH" else "application/json"
    )
    assert answer.status == 403
    assert f'User "system:serviceaccount:{SYSTEM}:xdp-redirect-operator" cannot' in answer.message


NEEDS = {
    "nodes": "/api/v1/nodes",
    "its lease": f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/xdp-redirect-operator",
    "its daemon set": f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets",
    "redirects": REDIRECTS,
    "node objects": f"{GROUP}/xdpredirectnodes",
}


@pytest.mark.parametrize("need", NEEDS)
def test_it_reads_what_it_needs(operator: Wire, need: str) -> None:
    assert operator.request("GET", NEEDS[need]).status in (200, 404)
