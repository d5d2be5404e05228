"""Prepared claims on disk: the next agent has them, and so has the container runtime."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.dra.test_claims import CLAIM, QUEUE
from xdpredirect.dra import cdi
from xdpredirect.dra.store import ClaimStore

TWO = replace(CLAIM, uid="c2", name="two", queues=(replace(QUEUE, queue=1, requests=("r",)),))


def store(directory: Path) -> ClaimStore:
    return ClaimStore(directory / "state/claims.json", directory / "cdi", Path("/run/sockets"))


def documents(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "cdi").iterdir())


def test_the_next_agent_knows_every_claim(tmp_path: Path) -> None:
    first = store(tmp_path)
    for claim in (CLAIM, TWO):
        first.keep(claim)
    assert [*store(tmp_path).claims] == [*first.claims] == [CLAIM, TWO]
    first.drop("c1")
    assert [*store(tmp_path).claims] == [*first.claims] == [TWO]


def test_the_runtime_has_a_document_while_the_claim_is_prepared(tmp_path: Path) -> None:
    made = store(tmp_path)
    for claim in (CLAIM, TWO, CLAIM):
        made.keep(claim)
    assert documents(tmp_path) == [
        "xdpredirect.io-claim-c1.json",
        "xdpredirect.io-claim-c2.json",
    ]
    path = tmp_path / "cdi" / cdi.file_name("c1")
    assert json.loads(path.read_text()) == cdi.document(CLAIM, Path("/run/sockets"))
    assert path.stat().st_mode & 0o777 == 0o644
    made.drop("c1")
    made.drop("c1")
    assert documents(tmp_path) == ["xdpredirect.io-claim-c2.json"]


def test_what_a_reboot_took_is_written_again(tmp_path: Path) -> None:
    store(tmp_path).keep(CLAIM)
    (tmp_path / "cdi" / cdi.file_name("c1")).unlink()
    store(tmp_path).keep(CLAIM)
    assert documents(tmp_path) == ["xdpredirect.io-claim-c1.json"]


def test_only_what_was_prepared_is_removed(tmp_path: Path) -> None:
    (tmp_path / "cdi").mkdir()
    foreign = tmp_path / "cdi" / cdi.file_name("c9")
    foreign.write_text("{}")
    store(tmp_path).drop("c9")
    assert foreign.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"c1": {}}', '{"c1": {"pods": 1}}'])
def test_a_file_that_cannot_be_read_is_no_claim(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/claims.json").write_text(content)
    made = store(tmp_path)
    assert made.claims == ()
    made.keep(CLAIM)
    assert store(tmp_path).claims == (CLAIM,)
