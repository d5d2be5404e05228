"""docs/kubernetes.md is tried: its commands, their output, its links and its words."""

import os
import subprocess
from pathlib import Path

import yaml

from tests.cluster.binaries.families import path
from tests.cluster.cluster import ROOT
from tests.cluster.fleet import Fleet
from tests.cluster.nodes import Nodes
from tests.kernel.documents import Block, blocks, plain
from tests.kernel.lab import Lab
from tests.kernel.test_docs import LINK
from tests.unit.api.test_node_schema import status_of
from xdpredirect.api.node_size import SPEC_LIMIT

DOCUMENT = ROOT / "docs" / "kubernetes.md"
TEXT = DOCUMENT.read_text()


def test_commands_do_what_the_text_shows(nodes: Nodes, lab: Lab, tmp_path: Path) -> None:
    with Fleet(nodes, lab, "node-1", "node-2", "node-3") as fleet:
        env = {
            "PATH": f"{path('kubectl').parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(fleet.cluster.kubeconfig),
            "KUBECACHEDIR": str(tmp_path / "cache"),
        }
        for block in blocks(DOCUMENT):
            if block.file:
                (tmp_path / block.file).write_text(block.text)
            elif block.language == "console" and not block.not_run:
                tried(block, tmp_path, env, fleet)


def tried(block: Block, directory: Path, env: dict[str, str], fleet: Fleet) -> None:
    commands = block.commands()
    for number, (command, shown) in enumerate(commands, 1):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=directory, env=env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        words = f"{block}: $ {command}\n{done.stdout}{done.stderr}"
        wanted = block.exit if number == len(commands) else 0
        assert done.returncode == wanted, f"{words}\n{fleet.evidence('edge')}"
        printed = {plain(line) for line in (done.stdout + done.stderr).splitlines()}
        assert not [line for line in shown if plain(line) not in printed], words


def test_links_lead_somewhere() -> None:
    links = [link for link in LINK.findall(TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (DOCUMENT.parent / link).exists()] == []


def test_every_state_and_every_omission_is_described() -> None:
    status = status_of("XdpRedirectNode")["properties"]
    states = status["redirects"]["items"]["properties"]["state"]["enum"]
    assert [state for state in states if f"`{state}`" not in TEXT] == []
    assert len(status["omitted"]["items"]["enum"]) == 4
    for words in ("counters of rules", "lists of interfaces", "causes of\n  loss", "ends of mess"):
        assert words in TEXT


def test_limits_are_those_of_the_code() -> None:
    crd = yaml.safe_load((ROOT / "crds" / "xdpredirectnodes.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    most = schema["properties"]["spec"]["properties"]["redirects"]["maxItems"]
    assert f"at most {most} XdpRedirects and {SPEC_LIMIT / 1e6} MB" in TEXT


def test_every_part_of_config_is_named() -> None:
    parts = [
        place for place in (ROOT / "config").iterdir() if place.is_dir() and any(place.iterdir())
    ]
    assert [place.name for place in parts if f"`config/{place.name}`" not in TEXT] == []
