"""--files DIR: validated in full, and no mistake in it detaches what runs."""

import json
import os
from pathlib import Path

import pytest

from tests.unit.agent.stored import generations, redirect, vlan_of
from xdpredirect.agent.store import Store


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
