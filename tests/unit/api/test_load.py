"""Files, directories and standard input to objects, or to every problem at once."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.api.changes import ROOT, example
from xdpredirect.api.load import Objects, load_paths, load_text
from xdpredirect.errors import InvalidInput

SET = """apiVersion: xdpredirect.io/v1alpha1
kind: XdpAddressSet
metadata: {name: %s}
spec: {cidrs: [192.0.2.0/24]}
"""


def problems(*paths: Path | str) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        load_paths([str(path) for path in paths])
    return list(refused.value.problems)


def test_examples_are_accepted() -> None:
    loaded = load_paths([str(ROOT / "examples")])
    names = sorted(redirect.name for redirect in loaded.redirects)
    assert names == ["broadcast", "capture", "cpus", "device", "device-group", "dns", "edge"]
    assert sorted(found.name for found in loaded.address_sets) == ["bots", "subscribers"]
    kinds = {rule["action"]["type"] for rule in example()["spec"]["rules"]}
    assert len(kinds) == 10


def test_several_documents_and_lists() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [example("address-sets.yaml")]}
    text = SET % "a" + "---\n" + SET % "b" + "---\n" + json.dumps(listed)
    assert [found.name for found in load_text(text, "x").address_sets] == ["a", "b", "bots"]
    typed = {**listed, "kind": "XdpAddressSetList"}
    assert len(load_text(json.dumps(typed), "x").address_sets) == 1


def test_directory(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(SET % "first")
    (tmp_path / "a.yml").write_text(SET % "second")
    (tmp_path / "c.json").write_text(json.dumps(example("address-sets.yaml")))
    (tmp_path / ".hidden.yaml").write_text("[")
    (tmp_path / "notes.txt").write_text("[")
    names = [found.name for found in load_paths([str(tmp_path)]).address_sets]
    assert names == ["second", "first", "bots"]


def test_a_directory_may_be_empty_and_a_file_may_not(tmp_path: Path) -> None:
    assert load_paths([str(tmp_path)]) == Objects()
    (tmp_path / "a.yaml").write_text("# nothing\n")
    sentence = "holds no object; write an XdpRedirect or an XdpAddressSet"
    assert problems(tmp_path) == [f"{tmp_path}/a.yaml: {sentence}"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((SET % "a").encode())))
    assert [found.name for found in load_paths(["-"]).address_sets] == ["a"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    missing = tmp_path / "missing.yaml"
    assert problems(missing, tmp_path / "latin.yaml") == [
        f"{missing}: No such file or directory",
        f"{tmp_path}/latin.yaml: byte 3 is not UTF-8; save the file as UTF-8",
    ]


def test_problems_of_all_files_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SET % "A")
    (tmp_path / "b.yaml").write_text("a: b: c")
    (tmp_path / "c.yaml").write_text("3")
    (tmp_path / "d.yaml").write_text("kind: List")
    found = [line.removeprefix(f"{tmp_path}/") for line in problems(tmp_path)]
    assert found == [
        (
            "a.yaml: XdpAddressSet/A: metadata.name: must be lower-case letters, digits, and inner "
            'hyphens and dots such as edge, not "A"'
        ),
        "b.yaml: line 1, column 5: mapping values are not allowed in this context",
        "c.yaml: document 1: must be an object, not 3",
        "d.yaml: document 1: items: must be a list, not null",
    ]


def test_an_object_given_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SET % "x")
    (tmp_path / "b.yaml").write_text(SET % "x")
    assert problems(tmp_path) == [
        (
            f"{tmp_path}/b.yaml: XdpAddressSet/x: metadata.name: is taken by an object in "
            f"{tmp_path}/a.yaml; remove one"
        )
    ]


def test_objects_of_two_kinds_may_share_a_name() -> None:
    redirect = {**example("device.yaml"), "metadata": {"name": "x"}}
    loaded = load_text(SET % "x" + "---\n" + json.dumps(redirect), "s")
    assert (loaded.redirects[0].name, loaded.address_sets[0].name) == ("x", "x")


def test_documents_have_defaults_and_no_status() -> None:
    given: dict[str, Any] = {**example("device.yaml"), "status": {"anything": 1}}
    given["spec"]["rules"][0]["match"]["sourceCIDRs"] = None
    (document,) = load_text(json.dumps(given), "s").documents
    spec: Any = document["spec"]
    assert "status" not in document
    assert (spec["mode"], spec["priority"], spec["state"]) == ("Native", 500, "Active")
    assert "sourceCIDRs" not in spec["rules"][0]["match"]
    assert load_text(json.dumps(document), "s").documents == (document,)


def test_null_becomes_the_default() -> None:
    given = example("device.yaml")
    given["spec"]["mode"] = None
    assert load_text(json.dumps(given), "s").redirects[0].spec.mode == "Native"


def test_the_decoder_alone_loads_no_schema_library() -> None:
    script = (
        "import json, sys\n"
        "from xdpredirect.api.decode import decode_redirect\n"
        "decode_redirect(json.loads(sys.argv[1]))\n"
        "import xdpredirect.api.load\n"
        "print(sorted({'cel', 'jsonschema', 'yaml'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(example())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
