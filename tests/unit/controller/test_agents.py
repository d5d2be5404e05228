"""The agents' DaemonSet and the label that says where they run."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator
from xdpredirect.cluster.resource import DAEMONSETS, NODE_OBJECTS, NODES
from xdpredirect.controller.actions import ApplyDaemonSet, LabelNode
from xdpredirect.controller.agents import APPLIED, LABEL, Agents, daemon_set, read_agents
from xdpredirect.errors import InvalidInput
from xdpredirect.settings import Settings

WANTED = daemon_set(Agents(image="registry/agent:1"), "system")


@pytest.fixture
def managing(cluster: ModelCluster) -> Operator:
    return manager(cluster)


def manager(cluster: ModelCluster, image: str = "registry/agent:1") -> Operator:
    made = Operator(cluster)
    made.fleet.agents.wanted = daemon_set(Agents(image=image), "system")
    return made


def labelled(cluster: ModelCluster) -> set[str]:
    nodes = cluster.store[NODES.plural].items()
    return {name for name, node in nodes if LABEL in node["metadata"]["labels"]}


def daemon_sets(cluster: ModelCluster) -> dict[str, Any]:
    return cluster.store[DAEMONSETS.plural]


def test_agents_are_wanted_where_an_object_is(cluster: ModelCluster, managing: Operator) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    managing.settle()
    assert labelled(cluster) == {"a"}
    (made,) = daemon_sets(cluster).values()
    assert made["spec"]["template"]["spec"]["nodeSelector"] == {LABEL: "wanted"}


def test_a_node_that_leaves_keeps_its_agent_until_that_has_let_go(
    cluster: ModelCluster, managing: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    managing.settle()
    cluster.run_agent("a")
    cluster.write_node("a", {"zone": "2", LABEL: "wanted"})
    managing.settle()
    assert cluster.store[NODE_OBJECTS.plural]["a"]["spec"]["redirects"] == []
    assert labelled(cluster) == {"a"}
    cluster.run_agent("a")
    managing.settle()
    assert labelled(cluster) == set()


def test_without_a_file_no_node_is_labelled(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    assert labelled(cluster) == set()
    assert daemon_sets(cluster) == {}


def test_another_file_is_applied_and_a_restart_changes_nothing(cluster: ModelCluster) -> None:
    manager(cluster).settle()
    assert manager(cluster).settle() == []
    actions = manager(cluster, "registry/agent:2").settle()
    assert [type(action) for action in actions] == [ApplyDaemonSet]
    (made,) = daemon_sets(cluster).values()
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "registry/agent:2"


def as_a_server_keeps_it(value: Any) -> Any:
    """Without what is empty or false, and with defaults."""
    if isinstance(value, dict):
        kept = {name: as_a_server_keeps_it(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item} | {"defaulted": "x"}
    if isinstance(value, list | tuple):
        return [as_a_server_keeps_it(item) for item in value]
    return value


def test_what_the_server_holds_is_not_sent_again(cluster: ModelCluster) -> None:
    manager(cluster).settle()
    (made,) = daemon_sets(cluster).values()
    made["spec"] = as_a_server_keeps_it(made["spec"])
    made["spec"]["template"]["spec"]["containers"][0]["securityContext"][
        "allowPrivilegeEscalation"
    ] = False
    assert manager(cluster).settle() == []
    made["spec"]["template"]["spec"]["containers"][0]["env"] = []
    assert [type(action) for action in manager(cluster).settle()] == [ApplyDaemonSet]


def test_what_somebody_changed_is_put_back(cluster: ModelCluster, managing: Operator) -> None:
    managing.settle()
    (made,) = daemon_sets(cluster).values()
    made["spec"]["template"]["spec"]["hostNetwork"] = False
    made["metadata"]["generation"] += 1
    managing.settle()
    (made,) = daemon_sets(cluster).values()
    assert made["spec"]["template"]["spec"]["hostNetwork"]


def test_a_label_that_somebody_removed_comes_back(
    cluster: ModelCluster, managing: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    managing.settle()
    cluster.write_node("a", {"zone": "1"})
    assert [type(action) for action in managing.settle()] == [LabelNode]
    assert labelled(cluster) == {"a"}


def test_the_pod_has_three_capabilities_and_the_nodes_name() -> None:
    pod: Any = WANTED["spec"]
    (container,) = pod["template"]["spec"]["containers"]
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "PERFMON"]}
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"


def test_an_update_waits_for_agents_that_stay_ready() -> None:
    made: Any = WANTED["spec"]
    pod = made["template"]["spec"]
    (container,) = pod["containers"]
    assert made["minReadySeconds"] > Settings().resync_seconds, "longer than to the second pass"
    command = container["readinessProbe"]["exec"]["command"]
    # In a directory of this pod: what an agent before it left there must not count.
    directory = str(Path(command[-1]).parent)
    (own,) = (m["name"] for m in container["volumeMounts"] if m["mountPath"] == directory)
    assert {"name": own, "emptyDir": {}} in pod["volumes"]


def test_the_digest_is_that_of_what_is_applied() -> None:
    def applied(image: str) -> Any:
        metadata: Any = daemon_set(Agents(image=image), "system")["metadata"]
        return metadata["annotations"][APPLIED]

    assert applied("a") == applied("a") != applied("b")


def test_every_field_of_the_file_reaches_the_pods() -> None:
    given = {
        "image": "i",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "s"}],
        "resources": {"limits": {"memory": "1Gi"}},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "priorityClassName": "p",
        "updateStrategy": {"type": "OnDelete"},
        "minReadySeconds": 300,
        "podAnnotations": {"a": "b"},
        "env": [{"name": "XDPREDIRECT_RESYNC_SECONDS", "value": "60"}],
    }
    made: Any = daemon_set(read_agents(given), "system")
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("i", "Always")
    assert container["resources"] == given["resources"]
    assert container["env"][1:] == given["env"]
    assert pod["imagePullSecrets"] == given["imagePullSecrets"]
    assert pod["tolerations"] == given["tolerations"]
    assert pod["priorityClassName"] == "p"
    assert made["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert made["spec"]["minReadySeconds"] == 300
    assert made["spec"]["template"]["metadata"]["annotations"] == {"a": "b"}


def test_metrics_are_served_on_the_nodes_own_address_and_only_when_asked_for() -> None:
    def container(given: dict[str, Any]) -> Any:
        made: Any = daemon_set(read_agents({"image": "registry/agent:1", **given}), "system")
        return made["spec"]["template"]["spec"]["containers"][0]

    assert (
        daemon_set(read_agents({"image": "registry/agent:1", "metricsPort": 0}), "system") == WANTED
    )
    made = container({"metricsPort": 9464, "env": [{"name": "A", "value": "b"}]})
    assert made["args"][-2:] == ["--metrics", "$(POD_IP):9464"]
    assert made["ports"] == [{"name": "metrics", "containerPort": 9464, "protocol": "TCP"}]
    assert [one["name"] for one in made["env"]] == ["XDPREDIRECT_NODE", "POD_IP", "A"]
    assert made["env"][1]["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert "ports" not in container({})


def test_only_agents_that_hand_out_sockets_have_what_that_takes() -> None:
    def pod(**given: Any) -> Any:
        made: Any = daemon_set(read_agents({"image": "registry/agent:1", **given}), "system")
        return made["spec"]["template"]["spec"]

    directory = str(Settings().sockets_dir)
    assert pod(sockets=False) == pod()
    assert "hostPID" not in pod()
    made = pod(sockets=True)
    (container,) = made["containers"]
    assert made["hostPID"]
    assert container["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["BPF", "NET_ADMIN", "PERFMON", "NET_RAW", "IPC_LOCK"],
    }
    (mount,) = (m for m in container["volumeMounts"] if m["mountPath"] == directory)
    (volume,) = (v for v in made["volumes"] if v["name"] == mount["name"])
    assert not mount["readOnly"]
    assert volume["hostPath"] == {"path": directory, "type": "DirectoryOrCreate"}


def test_only_agents_with_claims_have_the_directories_of_kubelet_and_runtime() -> None:
    def parts(**given: Any) -> tuple[dict[str, str], dict[str, bool], list[str]]:
        agents = read_agents({"image": "registry/agent:1", "sockets": True, **given})
        made: Any = daemon_set(agents, "system")
        pod = made["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        paths = {v["hostPath"]["path"]: v["hostPath"]["type"] for v in pod["volumes"][:-2]}
        mounts = {m["mountPath"]: m["readOnly"] for m in container["volumeMounts"][:-2]}
        return paths, mounts, container["args"]

    kubelet, cdi = "/var/lib/kubelet/plugins_registry", str(Settings().cdi_dir)
    paths, mounts, args = parts()
    assert parts(claims=False) == (paths, mounts, args)
    more, mounted, said = parts(claims=True)
    assert more == paths | {kubelet: "Directory", cdi: "DirectoryOrCreate"}
    assert mounted == mounts | {kubelet: False, cdi: False}
    assert said == [*args, "--plugins-dir", kubelet]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "must be a mapping"),
        ({}, "image: is missing"),
        ({"image": "i", "imagePullSecret": "s"}, "imagePullSecret: is unknown"),
        ({"image": ["i"]}, "image: must be a text"),
        ({"image": "i", "tolerations": {}}, "tolerations: must be a list"),
        ({"image": "i", "resources": "many"}, "resources: must be a mapping"),
        ({"image": "i", "metricsPort": "9464"}, "metricsPort: must be a number"),
        ({"image": "i", "metricsPort": 65536}, "metricsPort: is no port"),
        ({"image": "i", "minReadySeconds": "40"}, "minReadySeconds: must be a number"),
        ({"image": "i", "sockets": "yes"}, "sockets: must be true or false"),
        ({"image": "i", "claims": True}, "claims: are of sockets"),
        ({"image": "i", "claims": True, "sockets": False}, "claims: are of sockets"),
    ],
)
def test_a_wrong_file_is_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_agents(value)
