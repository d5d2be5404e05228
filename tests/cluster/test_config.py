"""config/ as a whole on a real API server: what it holds, who may what, and which pods get in."""

import json
from typing import Any

import click
import pytest
import yaml

from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.installed import (
    AGENT,
    PARTS,
    SYSTEM,
    agents_of,
    install,
    operator_token,
    rendered,
)
from tests.cluster.waiting import until
from xdpredirect.cli.main import cli
from xdpredirect.settings import Settings, this_pod

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
NO_MANIFESTS = ("kustomization.yaml", "agents.yaml")
# For clusters that have resource.k8s.io/v1 and want it.
ADDED = ROOT / "config" / "claims"
OTHERS = {"ValidatingAdmissionPolicy": 3, "ValidatingAdmissionPolicyBinding": 3, "Deployment": 1}


@pytest.fixture(scope="module", name="rendered")
def _rendered(cluster: Cluster) -> list[dict[str, Any]]:
    return rendered(cluster)


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    install(cluster)
    return operator_token(cluster)


def test_the_server_takes_everything(cluster: Cluster, rendered: list[dict[str, Any]]) -> None:
    install(cluster)
    said = cluster.kubectl("apply", "--server-side", "--dry-run=server", "-k", str(ROOT / "config"))
    assert len(said.splitlines()) == len(rendered)
    kinds = [document["kind"] for document in rendered]
    assert kinds.count("CustomResourceDefinition") == len(list((ROOT / "crds").glob("*.yaml")))
    assert {kind: kinds.count(kind) for kind in OTHERS} == OTHERS


def test_every_file_is_part_of_it(rendered: list[dict[str, Any]]) -> None:
    manifests = [p for p in (ROOT / "config").rglob("*.yaml") if p.name not in NO_MANIFESTS]
    files = [path for path in manifests if path.parent != ADDED]
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
            assert not {"secrets", "configmaps"} & set(rule["resources"])
            assert "pods" not in rule["resources"] or rule["verbs"] == ["list", "watch"]
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
        cluster.kubectl("delete", "namespace", "restricted", "--wait=false")


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


def test_pods_of_agents_are_let_in(
    cluster: Cluster, token: str, rendered: list[dict[str, Any]]
) -> None:
    """And nowhere else than in a namespace of that level."""
    spec = agents_of(rendered)["spec"]["template"]["spec"]
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
        cluster.kubectl("delete", "namespace", "baseline", "--wait=false")
