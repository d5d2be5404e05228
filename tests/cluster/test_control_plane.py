"""The control plane itself: it is real, it is closed, and it comes back."""

import json

import pytest

from tests.cluster.binaries.families import FAMILIES, Family
from tests.cluster.cluster import CRDS, Cluster
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Wire


def test_every_part_reports_healthy(cluster: Cluster, wire: Wire) -> None:
    assert wire.request("GET", "/version").body["gitVersion"] == family("kubernetes").version
    assert all(process.pid is not None for process in cluster.control_plane.processes)
    # What the controller manager does: an account and its certificate in every namespace.
    cluster.kubectl("create", "namespace", "healthy")
    try:
        until(
            lambda: "default" in cluster.kubectl("get", "serviceaccounts", "-n", "healthy"),
            "the new namespace has its service account",
            evidence=cluster.control_plane.evidence,
        )
    finally:
        cluster.kubectl("delete", "namespace", "healthy", "--wait=false")


def family(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)


def test_kubectl_is_of_the_same_release(cluster: Cluster) -> None:
    versions = json.loads(cluster.kubectl("version", "--output=json"))
    wanted = family("kubernetes").version
    assert versions["clientVersion"]["gitVersion"] == wanted
    assert versions["serverVersion"]["gitVersion"] == wanted
    assert versions["serverVersion"]["minor"] == wanted.split(".")[1]


def test_a_token_that_nobody_gave_is_refused(cluster: Cluster) -> None:
    answer = Wire(cluster, "not-a-token").request("GET", f"{GROUP}/xdpredirects")
    assert answer.status == 401


def test_a_service_account_without_a_role_is_refused(cluster: Cluster) -> None:
    token = cluster.token_for("default", "default")
    answer = Wire(cluster, token).request("GET", f"{GROUP}/xdpredirects")
    assert answer.status == 403
    assert 'User "system:serviceaccount:default:default" cannot list' in answer.message


def test_every_crd_is_established(cluster: Cluster) -> None:
    files = sorted(CRDS.glob("*.yaml"))
    crds = json.loads(cluster.kubectl("get", "crds", "-o", "json"))["items"]
    conditions = {
        crd["metadata"]["name"]: {c["type"]: c for c in crd["status"]["conditions"]} for crd in crds
    }
    assert {f"{file.stem}.xdpredirect.io" for file in files} <= conditions.keys()
    for name, found in conditions.items():
        assert found["Established"]["status"] == "True", name
        assert "NonStructuralSchema" not in found, found["NonStructuralSchema"]["message"]


def test_a_killed_api_server_comes_back_with_its_objects(cluster: Cluster, wire: Wire) -> None:
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    try:
        cluster.stop_api_server()
        with pytest.raises(OSError, match="refused"):
            wire.request("GET", "/version")
        cluster.start_api_server()
        kept = wire.request("GET", "/api/v1/namespaces/default/configmaps/kept")
        assert kept.body["data"] == {"a": "b"}
    finally:
        cluster.kubectl("delete", "configmap", "kept")


def test_writes_are_on_record(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "recorded")
    cluster.kubectl("get", "configmap", "recorded")
    cluster.kubectl("delete", "configmap", "recorded")
    about = [
        (event["verb"], event["user"]["username"])
        for event in map(json.loads, cluster.control_plane.audit_log.read_text().split("\n")[:-1])
        if event["objectRef"].get("name") == "recorded"
    ]
    assert about == [("create", "admin"), ("delete", "admin")]
