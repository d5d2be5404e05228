"""The store: generations, what was applied, and what a damaged file of its own may not do."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent.stored import EDGE, address_set, generations, redirect, vlan_of
from tests.unit.cli.samples import thing
from xdpredirect.agent import files
from xdpredirect.agent.report import Report
from xdpredirect.agent.store import Key, Store


def test_put_counts_the_generation_up_only_when_the_spec_changes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    labelled = redirect()
    labelled["metadata"]["labels"] = {"team": "edge"}
    steps = [
        (redirect(), "created", 1),
        (redirect(), "unchanged", 1),
        (labelled, "configured", 1),
        (redirect(vlan=200), "configured", 2),
        (redirect(vlan=100), "configured", 3),
    ]
    for document, verb, generation in steps:
        (change,) = store.put([document])
        assert (change.key, change.verb, change.generation) == (EDGE, verb, generation)
        assert generations(Store(tmp_path)) == {"edge": generation}


def test_a_generation_in_the_input_is_that_of_another_machine(tmp_path: Path) -> None:
    document = redirect()
    document["metadata"]["generation"] = 41
    assert Store(tmp_path).put([document])[0].generation == 1


def test_an_empty_state_directory_holds_nothing(tmp_path: Path) -> None:
    wanted = Store(tmp_path / "not-there-yet").read_all()
    assert (wanted.objects.documents, wanted.problems) == ((), ())


def test_remove_tells_what_was_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put([redirect(), address_set()])
    assert store.remove([EDGE, Key("XdpRedirect", "never")]) == (EDGE,)
    assert [str(Key("XdpAddressSet", "bots"))] == [
        f"{d['kind'].lower()}/{d['metadata']['name']}"  # type: ignore[attr-defined,index]
        for d in store.read_all().objects.documents
    ]


def test_sets_are_written_before_the_redirects_that_use_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    original = files.write_atomically

    def noting(path: Path, data: bytes, mode: int = 0o600) -> None:
        written.append(path.name)
        original(path, data, mode)

    monkeypatch.setattr("xdpredirect.agent.store.write_atomically", noting)
    Store(tmp_path).put([redirect("a"), address_set("z")])
    assert written == ["xdpaddressset.z.json", "xdpredirect.a.json"]


def test_applied_is_what_was_marked_and_not_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put([redirect(), address_set()])
    store.mark_applied(store.read_all().objects.documents)
    store.put([redirect(vlan=300)])
    assert store.applied().redirects[0].spec.rules[0].match.vlan_ids[0].first == 100
    assert store.applied().address_sets[0].name == "bots"
    store.forget_applied([EDGE])
    assert store.applied().redirects == ()


def test_marking_the_same_again_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put([redirect()])
    documents = store.read_all().objects.documents
    store.mark_applied(documents)
    path = store.applied_dir / "xdpredirect.edge.json"
    before = path.stat().st_ino
    store.mark_applied(documents)
    assert path.stat().st_ino == before


def test_status_json_says_which_generations_it_is_about(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put([redirect(), address_set()])
    report = Report(objects=(thing(),), interfaces=())
    store.record(report, store.read_all().objects.documents, "2026-01-02T03:04:05Z")
    found = store.read_status()
    assert found["generations"] == {"xdpredirect/edge": 1, "xdpaddressset/bots": 1}
    assert found["time"] == "2026-01-02T03:04:05Z"
    assert store.status_path.stat().st_mode & 0o777 == 0o644


def test_transition_times_go_from_one_status_to_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for time in ("2026-01-02T03:04:05Z", "2026-01-02T03:05:05Z"):
        store.record(Report(objects=(thing(),), interfaces=()), [], time)
    statuses: Any = store.read_status()["statuses"]
    assert statuses["edge"]["conditions"][0]["lastTransitionTime"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "Pod"}', "\x00\x01", '"edge"'])
def test_a_damaged_file_of_the_store_is_said_and_what_was_applied_stays(
    tmp_path: Path, content: str
) -> None:
    store = Store(tmp_path)
    store.put([redirect()])
    store.mark_applied(store.read_all().objects.documents)
    (store.objects_dir / "xdpredirect.edge.json").write_text(content)
    assert vlan_of(store) == 100
    assert "xdpredirect.edge.json: " in store.read_all().problems[0]
