"""A cluster of two nodes, and an operator."""

import pytest

from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator


@pytest.fixture
def cluster() -> ModelCluster:
    made = ModelCluster()
    made.write_node("a", {"zone": "1"})
    made.write_node("b", {"zone": "2"})
    return made


@pytest.fixture
def operator(cluster: ModelCluster) -> Operator:
    return Operator(cluster)
