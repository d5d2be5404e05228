"""What an installation has to look like, and what is said where it does not."""

from typing import Any

import pytest
import yaml

from xdpredirect.api.validate import validate
from xdpredirect.controller.verify import (
    judge_agents,
    judge_kind,
    judge_lease,
    judge_right,
    judge_wrong,
    sample,
)
from xdpredirect.data import data_dir
from xdpredirect.errors import ApiError

CRD = yaml.safe_load((data_dir("crds") / "xdpaddresssets.yaml").read_text())


def established(crd: dict[str, Any], status: str = "True") -> dict[str, Any]:
    return {**crd, "status": {"conditions": [{"type": "Established", "status": status}]}}


def test_a_kind_has_to_be_there_and_of_this_version() -> None:
    assert judge_kind("sets", established(CRD), CRD).problem == ""
    assert "is missing" in judge_kind("sets", None, CRD).problem
    assert "not established" in judge_kind("sets", established(CRD, "False"), CRD).problem
    version = {**CRD["spec"]["versions"][0], "schema": {"openAPIV3Schema": {"type": "object"}}}
    older = established({**CRD, "spec": {**CRD["spec"], "versions": [version]}})
    assert "is not that of" in judge_kind("sets", older, CRD).problem


def lease(holder: str, version: str) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder}}


@pytest.mark.parametrize(
    ("first", "later", "problem"),
    [
        (None, None, "no lease"),
        (None, lease("a", "2"), ""),
        (lease("a", "1"), lease("a", "2"), ""),
        (lease("a", "1"), lease("a", "1"), "nobody leads"),
        (lease("a", "1"), lease("", "2"), "nobody leads"),
        (lease("a", "1"), None, "no lease"),
    ],
)
def test_a_leader_renews_its_lease(first: Any, later: Any, problem: str) -> None:
    found = judge_lease(first, later)
    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)


def test_the_two_objects_are_right_and_wrong() -> None:
    assert validate("XdpRedirect", sample(priority=500)).refused == ()
    assert not validate("XdpRedirect", sample(priority=500)).malformed
    assert validate("XdpRedirect", sample(priority=1001)).malformed


def test_answers_to_a_right_and_to_a_wrong_object() -> None:
    invalid = ApiError(422, "Invalid", "spec.priority: Invalid value")
    assert judge_right(None).problem == ""
    assert "is refused" in judge_right(invalid).problem
    assert judge_wrong(invalid).problem == ""
    assert "would be accepted" in judge_wrong(None).problem
    assert "cannot be tried" in judge_wrong(ApiError(403, "Forbidden", "no")).problem


def test_agents_are_ready_where_they_are_wanted() -> None:
    def status(wanted: int, ready: int) -> dict[str, Any]:
        return {"status": {"desiredNumberScheduled": wanted, "numberReady": ready}}

    assert "is missing" in judge_agents(None).problem
    assert judge_agents(status(0, 0)).found == "0 of 0 are ready"
    assert judge_agents(status(3, 3)).found == "3 of 3 are ready"
    assert judge_agents(status(3, 2)).problem.startswith("2 of 3 are ready")
