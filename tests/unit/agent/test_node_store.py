"""node.json and node/: what the API server wants, on disk."""

import json
from pathlib import Path
from typing import Any

from xdpredirect.agent.node_store import NodeStore
from xdpredirect.agent.store import Key, Store

RULE = {"name": "r", "match": {"all": True}, "action": {"type": "Drop"}}


def redirect(name: str = "edge", generation: int = 5) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": name, "uid": f"u-{name}", "generation": generation},
        "spec": {"nodeSelector": {}, "interfaces": [{"names": ["eth0"]}], "rules": [RULE]},
    }


def address_set(name: str = "s", *cidrs: str) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpAddressSet",
        "metadata": {"name": name, "uid": f"u-{name}", "generation": 9},
        "spec": {"cidrs": list(cidrs or ("192.0.2.0/24",))},
    }


def test_generations_and_uids_stay_as_given(tmp_path: Path) -> None:
    assert NodeStore(tmp_path).replace([redirect(), address_set()])
    wanted = Store(tmp_path, tmp_path / "node").read_all()
    assert wanted.problems == ()
    assert [o.generation for o in wanted.objects.redirects] == [5]
    assert [s.generation for s in wanted.objects.address_sets] == [9]
    assert [d["metadata"]["uid"] for d in wanted.objects.documents] == ["u-s", "u-edge"]  # type: ignore[index]


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    store = NodeStore(tmp_path)
    store.replace([redirect("a"), redirect("b")])
    before = {path.name: path.stat().st_ino for path in (tmp_path / "node").iterdir()}
    assert not store.replace([redirect("b"), redirect("a")])
    assert store.replace([redirect("a"), redirect("b", 6)])
    after = {path.name: path.stat().st_ino for path in (tmp_path / "node").iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"xdpredirect.b.json"}


def test_what_is_not_wanted_goes_but_a_set_that_is_kept(tmp_path: Path) -> None:
    store = NodeStore(tmp_path)
    store.replace([redirect("a"), address_set("s"), address_set("t")])
    assert store.replace([redirect("b")], {Key("XdpAddressSet", "s")})
    left = {path.name for path in (tmp_path / "node").iterdir()}
    assert left == {"xdpaddressset.s.json", "xdpredirect.b.json"}


def test_the_local_store_is_another_place(tmp_path: Path) -> None:
    Store(tmp_path).put([redirect("local")])
    NodeStore(tmp_path).replace([redirect("edge")])
    assert [o.name for o in Store(tmp_path).read_all().objects.redirects] == ["local"]
    followed = Store(tmp_path, tmp_path / "node").read_all()
    assert [o.name for o in followed.objects.redirects] == ["edge"]


def test_what_was_wanted_last_is_remembered(tmp_path: Path) -> None:
    store = NodeStore(tmp_path / "state")
    assert store.remembered() is None
    store.remember({"spec": {"revision": 1}})
    inode = (tmp_path / "state/node.json").stat().st_ino
    store.remember({"spec": {"revision": 1}})
    assert (tmp_path / "state/node.json").stat().st_ino == inode
    assert NodeStore(tmp_path / "state").remembered() == {"spec": {"revision": 1}}
    (tmp_path / "state/node.json").write_text(json.dumps([1]))
    assert store.remembered() is None
