"""Which ResourceSlices are written, against a store that keeps them as the API server does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.dra.devices import Device, encoded
from xdpredirect.dra.slices import Pool, Writes, plan

NODE = Pool(node="node-1", uid="5f0e")
FOREIGN: dict[str, Any] = {"metadata": {"name": "gpus"}, "spec": {"driver": "gpu.example.com"}}


def devices(count: int, interface: str = "eth0") -> list[Device]:
    return [Device(interface=interface, queue=q, redirect="ids") for q in range(count)]


def after(writes: Writes, there: dict[str, Any]) -> dict[str, Any]:
    kept = {name: item for name, item in there.items() if name not in writes.delete}
    return kept | {item["metadata"]["name"]: item for item in writes.apply}  # type: ignore[index]


def test_a_slice_belongs_to_its_node() -> None:
    (written,) = plan(NODE, devices(1), [FOREIGN]).apply
    assert written == {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {
            "name": "node-1-xdpredirect.io-0",
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "5f0e"}
            ],
        },
        "spec": {
            "driver": "xdpredirect.io",
            "nodeName": "node-1",
            "pool": {"name": "node-1", "generation": 1, "resourceSliceCount": 1},
            "devices": [encoded(device) for device in devices(1)],
        },
    }


def test_of_a_node_without_a_uid_no_owner_is_made_up() -> None:
    (written,) = plan(Pool(node="node-1"), devices(1), []).apply
    assert written["metadata"] == {"name": "node-1-xdpredirect.io-0"}


@pytest.mark.parametrize(("count", "slices"), [(0, 0), (1, 1), (128, 1), (129, 2), (300, 3)])
def test_a_slice_holds_128_devices(count: int, slices: int) -> None:
    written = plan(NODE, devices(count), []).apply
    assert len(written) == slices
    found = [d["name"] for item in written for d in item["spec"]["devices"]]  # type: ignore[index]
    assert sorted(found) == sorted(device.name for device in devices(count))
    assert all(item["spec"]["pool"]["resourceSliceCount"] == slices for item in written)  # type: ignore[index]


def test_a_name_that_is_too_long_is_another_one_for_each_node() -> None:
    names = {
        item["metadata"]["name"]  # type: ignore[index]
        for node in ("a" * 253, "a" * 252 + "b")
        for item in plan(Pool(node=node), devices(129), []).apply
    }
    assert len(names) == 4
    assert max(map(len, names)) < 254


COUNTS = st.sampled_from([0, 1, 2, 128, 129, 257])


@given(st.lists(st.tuples(COUNTS, st.sampled_from(["eth0", "eth1"])), max_size=4))
def test_after_the_writes_there_is_nothing_to_write(steps: list[tuple[int, str]]) -> None:
    there: dict[str, Any] = {"gpus": FOREIGN}
    last = 0
    for count, interface in steps:
        wanted = devices(count, interface)
        writes = plan(NODE, wanted, there.values())
        there = after(writes, there)
        assert plan(NODE, wanted, there.values()) == Writes()
        ours = [item["spec"] for item in there.values() if item is not FOREIGN]
        generations = {spec["pool"]["generation"] for spec in ours}
        assert generations == ({last + bool(writes.apply)} if count else set())
        last = max(generations, default=0)
        assert sum(len(spec["devices"]) for spec in ours) == count
        assert there["gpus"] is FOREIGN


@pytest.mark.parametrize("damage", ["generation", "count", "missing", "device"])
def test_a_pool_that_does_not_fit_together_is_written_anew(damage: str) -> None:
    wanted = devices(129)
    there = after(plan(NODE, wanted, []), {})
    name = "node-1-xdpredirect.io-1"
    if damage == "missing":
        del there[name]
    elif damage == "device":
        there[name]["spec"]["devices"] = []
    else:
        field = {"generation": "generation", "count": "resourceSliceCount"}[damage]
        there[name]["spec"]["pool"] = there[name]["spec"]["pool"] | {field: 7}
    writes = plan(NODE, wanted, there.values())
    assert len(writes.apply) == 2
    assert plan(NODE, wanted, after(writes, there).values()) == Writes()
