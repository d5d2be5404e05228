"""`helm uninstall` on real nodes that does not go all the way: in need, and as it was asked."""

import json

import yaml

from tests.chart.helm import VERSIONS
from tests.cluster.cluster import ROOT
from tests.cluster.fleet import redirect
from tests.kernel.switch import udp
from tests.node.product import NAMESPACE, Product

FRAME = udp(7)
HOLD = "example.com/hold"
# The least that the chart takes.
SHORT = ("operator.silenceSeconds=1", "uninstall.timeoutSeconds=32")
LOGS = ("logs", "-n", NAMESPACE, "job/xdp-redirect-uninstall")
CRDS = [
    f"customresourcedefinition.apiextensions.k8s.io/{plural}.xdpredirect.io"
    for plural in ("xdpaddresssets", "xdpredirectnodes", "xdpredirects")
]


def test_one_that_cannot_be_done_says_why_and_can_be_run_again(installed: Product) -> None:
    installed.configure(*SHORT)
    held = redirect("edge", to="p1")
    held["metadata"]["finalizers"] = [HOLD]
    installed.apply(held)
    installed.wait_ready("edge")
    for program in VERSIONS:
        code, said = installed.try_uninstall(program)
        assert code == 1, said
        words = f"edge: its nodes have let go, and it is held by {HOLD}"
        assert f"error: not done in time: {words}" in said
        assert "nothing else was removed" in said
        # The same, as docs/install.md says.
        assert words in installed.machines.kubectl(*LOGS)
        assert replicas(installed) == 2
    free = json.dumps({"metadata": {"finalizers": None}})
    installed.machines.kubectl("patch", "xdpredirect", "edge", "--type=merge", "-p", free)
    installed.uninstall()
    assert installed.left() == []


def test_where_its_job_cannot_start_there_is_another_way(installed: Product) -> None:
    installed.apply(redirect("edge", to="p1"))
    installed.wait_ready("edge")
    installed.configure(*SHORT, "operator.image.tag=missing", wait=False)
    code, said = installed.try_uninstall()
    assert code == 1, said
    assert "xdp-redirect-uninstall" in said
    kubectl = installed.machines.kubectl
    events = ("get", "events", "-n", NAMESPACE, "-o", "jsonpath={.items[*].message}")
    words = 'Failed to pull image "xdp-redirect-operator:missing"'
    installed.until(lambda: words in kubectl(*events), "an event says why")
    for node in installed.machines.nodes.values():
        node.wires.deliver([FRAME] * 2, p1=2)
    installed.uninstall_from_outside()
    code, said = installed.try_uninstall("helm", "--no-hooks")
    assert code == 0, said
    installed.gone()
    job = "job.batch/xdp-redirect-uninstall"
    assert installed.left() == [job]
    kubectl("delete", "-n", NAMESPACE, job)


def test_kinds_that_are_kept_are_all_that_stays_and_taken_up_again(installed: Product) -> None:
    kubectl = installed.machines.kubectl
    installed.configure("crds.keep=true")
    (first, *_) = yaml.safe_load_all((ROOT / "examples/address-sets.yaml").read_text())
    installed.apply(first)
    name = f"xdpaddressset.xdpredirect.io/{first['metadata']['name']}"
    installed.apply(redirect("edge", to="p1"))
    installed.wait_ready("edge")

    installed.uninstall()
    assert sorted(installed.left()) == CRDS
    ours = "xdpredirects,xdpredirectnodes,xdpaddresssets"
    assert kubectl("get", ours, "-o", "name").split() == [name]
    for node in installed.machines.nodes.values():
        node.wires.deliver([FRAME] * 2, stack=2)

    installed.install()
    assert kubectl("get", ours, "-o", "name").split() == [name]
    installed.apply(redirect("edge", to="p2"))
    installed.wait_ready("edge")
    for node in installed.machines.nodes.values():
        node.wires.deliver([FRAME] * 3, p2=3)
    installed.delete("edge")
    # Those of a release that keeps nothing: they go with it.
    installed.uninstall()
    assert installed.left() == []


def replicas(product: Product) -> int:
    """Operators that there are to be."""
    words = ["get", "deployment/xdp-redirect-operator", "-n", NAMESPACE]
    return int(product.machines.kubectl(*words, "-o", "jsonpath={.spec.replicas}"))
