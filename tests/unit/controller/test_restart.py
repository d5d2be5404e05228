"""A new process writes nothing where nothing has changed."""

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, run_agents
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator


def test_what_has_no_room_is_not_told_again(cluster: ModelCluster, operator: Operator) -> None:
    for number in range(9):
        large = spec(priority=number)
        large["interfaces"] = [{"names": ["x" * 170_000]}]
        cluster.write_redirect(f"large-{number}", large)
    operator.settle()
    run_agents(cluster)
    operator.settle()
    assert condition(cluster, "Stalled", "large-8") == ("True", "NodeObjectTooLarge")
    assert Operator(cluster).settle() == []
