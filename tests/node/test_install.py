"""From `helm install` on an empty cluster of real nodes to redirected frames, and back."""

from tests.cluster.fleet import redirect
from tests.kernel.switch import udp
from tests.node.machines import Machines
from tests.node.processes import root_options, status
from tests.node.product import NAMESPACE, Product

FRAME = udp(7)
# CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF
CAPABILITIES = 1 << 12 | 1 << 38 | 1 << 39
SECCOMP_FILTER = "2"


def test_install_redirect_uninstall(product: Product, machine_cluster: Machines) -> None:
    if product.installed:
        product.uninstall()
    product.install()
    assert product.agents() == {}, "nothing is asked of a node, and an agent runs there"

    product.apply(redirect("edge", to="p1"))
    product.wait_ready("edge")
    for number, name in enumerate(machine_cluster.nodes, 4):
        product.wires(name).deliver([FRAME] * number, p1=number)
    described = machine_cluster.kubectl("describe", "xdpredirect", "edge")
    assert "running on 2 interfaces of 2 nodes" in described

    product.uninstall()
    for node in machine_cluster.nodes.values():
        node.wires.deliver([FRAME] * 2, stack=2)
    assert product.left() == []


def test_the_agent_has_three_capabilities_and_nothing_else(installed: Product) -> None:
    installed.apply(redirect("edge", to="p1"))
    installed.wait_ready("edge")
    for node in installed.machines.nodes.values():
        (pid,) = node.processes("xdpredirect agent")
        told = status(pid)
        for kind in ("CapEff", "CapPrm", "CapBnd"):
            assert int(told[kind], 16) == CAPABILITIES, kind
        assert int(told["CapAmb"], 16) == 0
        assert (told["Seccomp"], told["NoNewPrivs"]) == (SECCOMP_FILTER, "1")
        assert "ro" in root_options(pid)
    for pod in installed.agents().values():
        (container,) = pod["spec"]["containers"]
        assert "privileged" not in container["securityContext"]
    installed.delete("edge")


def test_the_operator_is_nobody_and_has_no_capability(installed: Product) -> None:
    found = [
        (status(pid), root_options(pid))
        for node in installed.machines.nodes.values()
        for pid in node.processes("xdpredirect operator")
    ]
    assert len(found) == 2, installed.machines.kubectl("get", "pods", "-n", NAMESPACE)
    for told, options in found:
        assert told["Uid"].split() == ["65532"] * 4
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
            assert int(told[kind], 16) == 0, kind
        assert (told["Seccomp"], told["NoNewPrivs"]) == (SECCOMP_FILTER, "1")
        assert "ro" in options
