"""What the documentation says about clusters is tried: every command, and what it prints."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.fleet import Fleet
from tests.cluster.nodes import Nodes
from tests.cluster.operator_scene import LEASE
from tests.cluster.page import ANOTHER, HAPPENINGS, NODES, Page, environment, matches
from tests.cluster.wire import Wire
from tests.kernel.documents import blocks, documents
from tests.kernel.lab import Lab

KINDS = (
    "customresourcedefinitions",
    "namespaces",
    "clusterroles",
    "clusterrolebindings",
    "roles",
    "rolebindings",
    "serviceaccounts",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "deployments",
    "poddisruptionbudgets",
    "configmaps",
)
# Those about Argo CD and Flux are tried by tests/gitops, that about images by tests/image.
PAGES = [
    path
    for path in documents()
    if path.parent.name != "gitops"
    and path.name != "image.md"
    and any(block.where for block in blocks(path))
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_do_what_the_text_shows(
    path: Path, nodes: Nodes, wire: Wire, lab: Lab, tmp_path: Path
) -> None:
    # The first revision of a node tells how often the lease changed hands: never, in the pages.
    wire.request("DELETE", LEASE)
    made = Fleet(nodes, lab, *NODES)
    for station in made.stations.values():
        # What is lost is told after the next look at it, which is half a minute away otherwise.
        station.node.equip(XDPREDIRECT_RESYNC_SECONDS="1")
    with made as fleet:
        page = Page(fleet, tmp_path)
        try:
            for block in blocks(path):
                page.follow(block)
        finally:
            # Of config/: no cluster of the tests has its image.
            config = str(ROOT / "config/operator")
            fleet.cluster.kubectl("delete", "--ignore-not-found", "-k", config)


def test_what_is_removed_leaves_nothing_behind(tmp_path: Path) -> None:
    page = next(path for path in PAGES if path.name == "cluster.md")
    (block,) = (block for block in blocks(page) if block.where == ANOTHER)
    with Cluster() as another:
        another.kubectl("apply", "--server-side", "-k", str(ROOT / "config"))
        assert len(ours(another)) > 10
        for command, _ in block.commands():
            env = {**os.environ, **environment(another, tmp_path)}
            subprocess.run(["sh", "-c", command], cwd=ROOT, env=env, check=True, timeout=300)
        assert ours(another) == []


def ours(cluster: Cluster) -> list[str]:
    names = cluster.kubectl("get", ",".join(KINDS), "--all-namespaces", "-o", "name")
    return [name for name in names.splitlines() if "xdp" in name]


def test_the_pages_about_clusters_are_found() -> None:
    assert {path.name for path in PAGES} == {"README.md", "cluster.md", "troubleshooting.md"}
    page = next(path for path in PAGES if path.name == "cluster.md")
    consoles = [block for block in blocks(page) if block.language == "console"]
    assert [str(block) for block in consoles if not (block.where or block.not_run)] == []


def test_every_happening_is_one_of_a_page() -> None:
    assert {block.first for path in PAGES for block in blocks(path)} - {""} == HAPPENINGS.keys()


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("NAME  AGE\na  4s", "NAME   AGE\na   2m7s", True),
        ("a  3", "a  4", False),
        ("a", "a\nb", False),
        ("a\n...", "a\nb\nc", True),
        ("a\n...\nc", "a\nb\nc", True),
        ("a\n...\nb", "a\nb\nc", False),
        ("...\nb\n...", "a\nc", False),
        ("...\nb\n...\na\n...", "a\nb\nc", False),
        ("a\n...\na", "a", False),
        ("", "anything", True),
    ],
)
def test_what_is_shown_is_held_against_what_is_printed(
    shown: str, printed: str, same: bool
) -> None:
    assert matches(shown.splitlines(), printed.splitlines()) is same
