"""What the documentation prints is tried: commands, their output, objects, fields and links."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kernel.documents import ANYTHING, ROOT, Block, blocks, documents, plain
from tests.kernel.lab import Host, Lab
from xdpredirect.api.load import load_paths

ALL = [block for path in documents() for block in blocks(path)]
# Each needs systemd, the package manager, another machine, or would stay on this one; most name the
# test that does the same. More would be a hole in this test.
NOT_RUN_AT_MOST = 10
RUN_BY = re.compile(r"run by (tests/[\w/]+\.py)")
# How the code names what it found: as an argument of a call, by keyword, as a key of a table.
REASONS = (
    r'(?:finding|unusable|_note|_not_ready|Conflict)\(\s*(?:[\w.]+,\s*)?"([A-Z][A-Za-z]+)"',
    r'reason="([A-Z][A-Za-z]+)"',
    r'^ +"([A-Z][A-Za-z]+)": _\w+\(',
)
ANCHOR = re.compile(r"\[[^\]]*\]\(([^)#:\s]*)#([^)]*)\)")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _is_tried(block: Block) -> bool:
    return block.language == "console" and not (block.not_run or block.where)


@pytest.fixture
def machine(lab: Lab, tmp_path: Path) -> Host:
    """eth0, eth1 and eth2 with their wires' other ends far0, far1, far2; a directory to work in
    that has examples/ and contrib/."""
    host = lab.host("machine")
    for number in range(3):
        lab.veth(("machine", f"eth{number}"), ("machine", f"far{number}"))
        host.ethtool("-K", f"far{number}", "tx-vlan-stag-hw-insert", "off")
    (tmp_path / "work").mkdir()
    for name in ("examples", "contrib"):
        (tmp_path / "work" / name).symlink_to(ROOT / name)
    return host


@pytest.mark.parametrize(
    "path",
    [p for p in documents() if any(_is_tried(block) for block in blocks(p))],
    ids=lambda p: p.name,
)
def test_commands_do_what_the_text_shows(path: Path, machine: Host, tmp_path: Path) -> None:
    work = tmp_path / "work"
    try:
        for block in blocks(path):
            if block.file:
                (work / block.file).write_text(block.text)
            elif _is_tried(block):
                _try(block, machine, work)
    finally:
        machine.run([sys.executable, "-m", "xdpredirect", "delete", "--all"])


def _try(block: Block, machine: Host, work: Path) -> None:
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    commands = block.commands()
    for number, (command, shown) in enumerate(commands, 1):
        directory = ROOT if command.startswith("make ") else work
        done = machine.run(["sh", "-c", f"cd {directory} && {command}"], check=False, env=env)
        wanted = block.exit if number == len(commands) else 0
        words = f"{block}: $ {command}\n{done.stdout}{done.stderr}"
        assert done.returncode == wanted, f"{words}exit {done.returncode}, not {wanted}"
        printed = {plain(line) for line in (done.stdout + done.stderr).splitlines()}
        missing = [s for s in shown if s.strip() not in ("", ANYTHING) and plain(s) not in printed]
        assert not missing, f"{words}\nnot printed: {missing}"


def test_few_commands_cannot_be_tried() -> None:
    exempt = [b for b in ALL if b.not_run and not RUN_BY.match(b.not_run)]
    assert len(exempt) <= NOT_RUN_AT_MOST, [str(b) for b in exempt]
    assert all(len(b.not_run) > 10 for b in exempt)


def test_a_page_that_another_suite_tries_is_named_there() -> None:
    named = {(b.document, found[1]) for b in ALL if (found := RUN_BY.match(b.not_run))}
    assert named
    assert not [pair for pair in named if pair[0] not in (ROOT / pair[1]).read_text()]


def test_every_shell_block_is_one_that_is_tried() -> None:
    assert not [str(b) for b in ALL if b.language in ("sh", "bash", "shell")]
    assert not [str(b) for b in ALL if b.language == "console" and b.text[:2] != "$ "]


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "yaml"], ids=str)
def test_objects_are_valid(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "object.yaml"
    path.write_text(block.text)
    assert load_paths([str(path)]).documents


def _spec(crd: str) -> Any:
    document = yaml.safe_load((ROOT / "crds" / crd).read_text())
    return document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def _fields(schema: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name, below in schema.get("properties", {}).items():
        yield name
        yield from _fields(below, (*path, name))
    if "items" in schema:
        yield from _fields(schema["items"], path)


def _values(schema: Any) -> Iterator[str]:
    yield from (value for value in schema.get("enum", ()) if isinstance(value, str))
    for below in (*schema.get("properties", {}).values(), schema.get("items", {})):
        if below:
            yield from _values(below)


def _descriptions(schema: Any) -> Iterator[str]:
    for below in schema.get("properties", {}).values():
        yield below["description"]
        yield from _descriptions(below)
        yield from _descriptions(below.get("items", {}))


@pytest.mark.parametrize("crd", ["xdpredirects.yaml", "xdpaddresssets.yaml"])
def test_fields_are_described_in_the_words_of_the_schema(crd: str) -> None:
    text = " ".join((ROOT / "docs" / "fields.md").read_text().replace("\\|", "|").split())
    missing = [d for d in _descriptions(_spec(crd)) if " ".join(d.split()) not in text]
    assert not missing


@pytest.mark.parametrize("crd", ["xdpredirects.yaml", "xdpaddresssets.yaml"])
def test_every_field_and_value_is_described(crd: str) -> None:
    schema = _spec(crd)
    text = (ROOT / "docs" / "fields.md").read_text()
    said = set(re.findall(r"[A-Za-z0-9]+", text))
    missing = {*_fields(schema, ()), *(v for v in _values(schema) if v.isalnum())} - said
    assert not missing


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = [link for link in LINK.findall(path.read_text()) if "://" not in link]
    assert not [link for link in links if not (path.parent / link).exists()]


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.name)
def test_anchors_are_headings(path: Path) -> None:
    missing = []
    for target, anchor in ANCHOR.findall(path.read_text()):
        text = ((path.parent / target) if target else path).read_text()
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        # As GitHub makes them.
        slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
        missing += [] if anchor in slugs else [f"{target}#{anchor}"]
    assert not missing


def test_every_finding_is_in_troubleshooting() -> None:
    folders = ("agent", "datapath")
    sources = [p for f in folders for p in (ROOT / "operator/xdpredirect" / f).rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources)
    reasons = {reason for pattern in REASONS for reason in re.findall(pattern, code, re.MULTILINE)}
    assert len(reasons) > 25
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert not {reason for reason in reasons if f"`{reason}`" not in text}
