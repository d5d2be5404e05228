"""The store: generations, what a broken file may not do, and a crash at every file operation."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.samples import thing
from xdpredirect.agent import files
from xdpredirect.agent.report import Report
from xdpredirect.agent.store import Key, Store
from xdpredirect.api.load import load_text

EDGE = Key("XdpRedirect", "edge")


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Import the validator here once, so that each forked child finds it there."""
    load_text(json.dumps(redirect()), "warm-up")


def redirect(name: str = "edge", vlan: int = 100, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {},
            "interfaces": [{"names": ["veth0"]}],
            "rules": [
                {
                    "name": "r",
                    "match": {"vlanIDs": [{"id": vlan}]},
                    "action": {"type": "Drop"},
                }
            ],
            **spec,
        },
    }


def address_set(name: str = "bots", cidr: str = "192.0.2.0/24") -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpAddressSet",
        "metadata": {"name": name},
        "spec": {"cidrs": [cidr]},
    }


def vlan_of(store: Store, name: str = "edge") -> int:
    (found,) = (r for r in store.read_all().objects.redirects if r.name == name)
    return found.spec.rules[0].match.vlan_ids[0].first


def generations(store: Store) -> dict[str, int]:
    return {r.name: r.generation for r in store.read_all().objects.redirects}


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


class TestDirectoryOfAPerson:
    """--files DIR: validated in full, and no mistake in it detaches what runs."""

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        path = tmp_path / "etc"
        path.mkdir()
        (path / "edge.yaml").write_text(json.dumps(redirect()))
        return path

    @pytest.fixture
    def store(self, tmp_path: Path, directory: Path) -> Store:
        store = Store(tmp_path / "state", directory)
        store.mark_applied(store.read_all().objects.documents)
        return store

    def test_generation_follows_from_what_was_applied(self, store: Store, directory: Path) -> None:
        assert generations(store) == {"edge": 1}
        (directory / "edge.yaml").write_text(json.dumps(redirect(vlan=7)))
        assert generations(store) == {"edge": 2}
        store.mark_applied(store.read_all().objects.documents)
        assert generations(store) == {"edge": 2}

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("spec: [", "edge.yaml: line 2, column 1"),
            (json.dumps(redirect()).replace("vlanIDs", "vlanID"), "vlanID"),
            (json.dumps({"kind": "Pod"}), "kind: must be"),
            ("", "holds no object"),
        ],
        ids=["syntax", "unknown field", "foreign kind", "empty"],
    )
    def test_a_broken_file_keeps_what_was_applied(
        self, store: Store, directory: Path, content: str, words: str
    ) -> None:
        (directory / "edge.yaml").write_text(content)
        wanted = store.read_all()
        assert [r.name for r in wanted.objects.redirects] == ["edge"]
        assert vlan_of(store) == 100
        assert any(words in problem for problem in wanted.problems), wanted.problems

    def test_a_broken_file_does_not_hold_up_the_others(self, store: Store, directory: Path) -> None:
        (directory / "edge.yaml").write_text("[")
        (directory / "new.yaml").write_text(json.dumps(redirect("new", vlan=9)))
        assert (vlan_of(store, "new"), vlan_of(store, "edge")) == (9, 100)

    def test_a_removed_file_removes_its_object(self, store: Store, directory: Path) -> None:
        (directory / "edge.yaml").unlink()
        assert store.read_all().objects.redirects == ()

    def test_a_missing_directory_detaches_nothing(self, store: Store, directory: Path) -> None:
        (directory / "edge.yaml").unlink()
        directory.rmdir()
        wanted = store.read_all()
        assert [r.name for r in wanted.objects.redirects] == ["edge"]
        assert wanted.problems == (
            f"{directory}: No such file or directory; what was applied stays",
        )

    def test_the_first_of_two_files_with_one_object_counts(
        self, store: Store, directory: Path
    ) -> None:
        (directory / "zzz.yaml").write_text(json.dumps(redirect(vlan=5)))
        wanted = store.read_all()
        assert vlan_of(store) == 100
        (problem,) = wanted.problems
        assert problem == (
            f"{directory}/zzz.yaml: xdpredirect/edge is also in {directory}/edge.yaml; "
            "remove one of them"
        )

    def test_unchanged_files_are_not_parsed_again(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.read_all()
        monkeypatch.setattr(os, "fork", lambda: pytest.fail("parsed again"))
        assert vlan_of(store) == 100

    def test_files_of_editors_are_not_objects(self, store: Store, directory: Path) -> None:
        for name in (".edge.yaml.swp", ".edge.yaml", "edge.yaml~", "README"):
            (directory / name).write_text("[")
        assert store.read_all().problems == ()


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


# --- crash safety: a child ends without warning before its n-th file operation -------------

OPERATIONS = ("open", "write", "fsync", "replace", "unlink", "mkdir")


def _dies_before(operation: int, action: Callable[[], object]) -> bool:
    """Run `action` in a child that ends before file operation number `operation`; short writes
    make every byte boundary count. Returns whether the child got to the end."""
    child = os.fork()
    if child == 0:
        left = operation

        def counted(original: Callable[..., Any], short: bool) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                if left == 0:
                    os._exit(9)
                left -= 1
                if short:
                    args = (args[0], bytes(args[1])[:97])
                return original(*args, **kwargs)

            return call

        for name in OPERATIONS:
            setattr(os, name, counted(getattr(os, name), name == "write"))
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"the child failed with {code}"
    return code == 0


def _crash_everywhere(
    prepare: Callable[[], Store],
    action: Callable[[Store], object],
    check: Callable[[Store], object],
) -> int:
    for operation in range(200):
        store = prepare()
        finished = _dies_before(operation, lambda store=store: action(store))  # type: ignore[misc]
        check(store)
        # The next run is not stopped by what the dead one left behind.
        action(store)
        check(store)
        if finished:
            return operation
    pytest.fail("more file operations than expected")


def test_a_crash_while_writing_leaves_the_old_object_or_the_new(tmp_path: Path) -> None:
    number = iter(range(1000))
    seen = set()

    def prepare() -> Store:
        store = Store(tmp_path / str(next(number)))
        store.put([redirect(vlan=1)])
        return store

    def check(store: Store) -> None:
        wanted = Store(store.objects_dir.parent).read_all()
        assert wanted.problems == ()
        (found,) = wanted.objects.redirects
        vlan = found.spec.rules[0].match.vlan_ids[0].first
        assert (vlan, found.generation) in ((1, 1), (2, 2))
        seen.add(vlan)

    operations = _crash_everywhere(prepare, lambda store: store.put([redirect(vlan=2)]), check)
    assert operations >= 6
    assert seen == {1, 2}


def test_a_crash_while_removing_leaves_the_object_or_nothing(tmp_path: Path) -> None:
    number = iter(range(1000))

    def prepare() -> Store:
        store = Store(tmp_path / str(next(number)))
        store.put([redirect(), address_set()])
        return store

    def check(store: Store) -> None:
        wanted = Store(store.objects_dir.parent).read_all()
        assert wanted.problems == ()
        assert {r.name for r in wanted.objects.redirects} <= {"edge"}

    keys = [EDGE, Key("XdpAddressSet", "bots")]
    assert _crash_everywhere(prepare, lambda store: store.remove(keys), check) >= 4


def test_a_crash_while_marking_leaves_the_old_record_or_the_new(tmp_path: Path) -> None:
    number = iter(range(1000))

    def prepare() -> Store:
        store = Store(tmp_path / str(next(number)))
        store.mark_applied([redirect(vlan=1)])
        return store

    def check(store: Store) -> None:
        (found,) = Store(store.objects_dir.parent).applied().redirects
        assert found.spec.rules[0].match.vlan_ids[0].first in (1, 2)

    operations = _crash_everywhere(
        prepare, lambda store: store.mark_applied([redirect(vlan=2)]), check
    )
    assert operations >= 5
