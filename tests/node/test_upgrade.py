"""`helm upgrade` to another image of the agents, under traffic that never pauses."""

from tests.node.product import NAMESPACE, Product
from tests.node.traffic import Traffic


def test_an_upgrade_of_all_agents_loses_no_frame(redirecting: Product) -> None:
    before = {pod["metadata"]["uid"] for pod in redirecting.agents().values()}
    tag = f"{redirecting.tag}-next"
    with Traffic(redirecting, "p1") as traffic:
        redirecting.upgrade(tag)
        image = f"{redirecting.repository}:{tag}"
        traffic.until(lambda: redirecting.agents_ready(image), "both agents run the new image")
        # As docs/install.md says.
        name = "daemonset/xdp-redirect-agent"
        redirecting.machines.kubectl("rollout", "status", name, "-n", NAMESPACE)
        traffic.drain()
    after = {pod["metadata"]["uid"] for pod in redirecting.agents().values()}
    assert not before & after
    redirecting.wait_ready("edge")
