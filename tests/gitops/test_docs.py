"""The page about GitOps: what the fixtures did not already run of it."""

from pathlib import Path

from tests.cluster.fleet import Fleet
from tests.gitops.argo import Argo
from tests.gitops.manifests import NETWORK
from tests.gitops.page import FLUX, INSTALL, PAGE, REMOVE, USE, Page, file_of
from tests.gitops.repository import Repository
from tests.kernel.documents import blocks

DNS = "redirects/dns.yaml"


def test_commands_do_what_the_text_shows(
    argo: Argo, network_repository: Repository, fleet: Fleet, tmp_path: Path
) -> None:
    network_repository.begin({DNS: file_of(DNS)})
    Page(argo.cluster, tmp_path, {NETWORK: network_repository.url}).follow(USE)


def test_every_command_is_tried() -> None:
    wheres = [block.where for block in blocks(PAGE) if block.language == "console"]
    assert set(wheres) == {INSTALL, USE, REMOVE, FLUX}
