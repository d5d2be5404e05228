"""What the chart says to Prometheus fits what operator and agents serve."""

from typing import Any

import jsonschema
import pytest

from tests.chart.helm import Helm
from tests.chart.rendered import SETS, Document, agents_of, render

MONITORS = {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}
WITH = {"pod-monitor": ["PodMonitor"] * 2, "service-monitor": ["ServiceMonitor"] * 2}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def closed(**properties: Any) -> dict[str, Any]:
    """The schema of an object that has all of these fields and no other."""
    made = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": [*properties]}


def monitor_schema(kind: str) -> dict[str, Any]:
    """The fields that the chart uses, as monitoring.coreos.com/v1 has them; that group is no part
    of Kubernetes, so that no validator of it knows them."""
    names = {"type": "array", "items": {"type": "string"}}
    relabeling = closed(sourceLabels=names, targetLabel={"type": "string"})
    endpoint = closed(
        port={"type": "string"},
        path={"const": "/metrics"},
        interval={"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"},
        relabelings={"type": "array", "items": relabeling},
    )
    spec = {
        "selector": closed(matchLabels=TEXTS),
        MONITORS[kind]: {"type": "array", "items": endpoint, "minItems": 1},
    }
    metadata = closed(name={"type": "string"}, namespace={"type": "string"}, labels=TEXTS)
    version = {"const": "monitoring.coreos.com/v1"}
    return closed(apiVersion=version, kind={"const": kind}, metadata=metadata, spec=closed(**spec))


def pods(objects: list[Document]) -> list[Document]:
    """Templates of the pods of operator and agents."""
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    return [one["spec"]["template"] for one in (deployment, agents_of(objects))]


def selected(labels: dict[str, str], among: list[Document]) -> list[Document]:
    return [one for one in among if labels.items() <= one["metadata"]["labels"].items()]


def port(template: Document, name: str) -> int:
    (container,) = template["spec"]["containers"]
    (found,) = (one for one in container["ports"] if one["name"] == name)
    return int(found["containerPort"])


@pytest.mark.parametrize("name", WITH)
def test_each_monitor_finds_one_kind_of_pod_and_its_port(helm4: Helm, name: str) -> None:
    objects = render(helm4, SETS[name])
    monitors = [one for one in objects if one["kind"] in MONITORS]
    assert [one["kind"] for one in monitors] == WITH[name]
    services = [one for one in objects if one["kind"] == "Service"]
    found = []
    for monitor in monitors:
        jsonschema.validate(monitor, monitor_schema(monitor["kind"]))
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        labels = monitor["spec"]["selector"]["matchLabels"]
        (endpoint,) = monitor["spec"][MONITORS[monitor["kind"]]]
        target = endpoint["port"]
        if monitor["kind"] == "ServiceMonitor":
            (service,) = selected(labels, services)
            (served,) = service["spec"]["ports"]
            assert served["name"] == target
            labels, target = service["spec"]["selector"], served["targetPort"]
        (template,) = selected(labels, pods(objects))
        if monitor["kind"] == "ServiceMonitor":
            assert served["port"] == port(template, target)
        found.append(port(template, target))
    assert found == [8080, 9464 if name == "pod-monitor" else 19464]


def test_agents_listen_where_their_port_says(helm4: Helm) -> None:
    (container,) = agents_of(render(helm4, SETS["service-monitor"]))["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["args"][-2:] == ["--metrics", "$(POD_IP):19464"]


def test_without_being_asked_nothing_is_scraped_and_no_agent_listens(helm4: Helm) -> None:
    objects = render(helm4)
    assert {one["kind"] for one in objects} & {*MONITORS, "Service"} == set()
    _, agents = pods(objects)
    (container,) = agents["spec"]["containers"]
    assert "ports" not in container
    assert "--metrics" not in container["args"]


def test_only_the_operator_is_monitored_where_agents_serve_nothing(helm4: Helm) -> None:
    objects = render(helm4, None, "--set", "metrics.podMonitor.enabled=true")
    (monitor,) = (one for one in objects if one["kind"] in MONITORS)
    assert monitor["metadata"]["name"] == "xdp-redirect-operator"


def test_the_policy_lets_the_scraper_in(helm4: Helm) -> None:
    objects = render(helm4, SETS["pod-monitor"])
    (policy,) = (one for one in objects if one["kind"] == "NetworkPolicy")
    (monitor,) = (
        one
        for one in objects
        if one["kind"] == "PodMonitor" and one["metadata"]["name"] == "xdp-redirect-operator"
    )
    wanted = monitor["spec"]["podMetricsEndpoints"][0]["port"]
    # From everywhere: without `from`, whatever namespace a Prometheus is in.
    assert policy["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": wanted}]}]
    labels = policy["spec"]["podSelector"]["matchLabels"]
    assert monitor["spec"]["selector"]["matchLabels"] == labels
