"""A seeded share of `make fuzz`: 200 random objects, 200 broken documents; see docs/fuzzing.md."""

from pathlib import Path

import pytest

from tests.fuzz.campaign import Plan, Total, run
from tests.fuzz.refusal import check_commands
from tests.kernel.loaded import CACHE

SEED = "make test"
CASES = 100  # 1, 2 and 3 objects an interface in turn: 199 objects
BROKEN, COMMANDS = 200, 12
FRAMES = 20
# Out of stack; a million instructions; out of stack with six rules; with 124 rules in a map.
ONCE_REFUSED = (17, 28, 63, 515)


def test_random_objects_do_what_the_reference_says(tmp_path: Path) -> None:
    plan = Plan(
        kind="valid",
        seed=SEED,
        first=0,
        last=CASES + 1,
        frames=FRAMES,
        cache=CACHE,
        findings=tmp_path,
    )
    total = run(plan, 2, lambda _: None)
    assert total.failures == []
    assert total.objects >= 200
    assert total.frames > CASES * FRAMES * 0.9
    assert total.largest > 64
    assert total.refused <= total.objects * 0.05


@pytest.mark.parametrize("number", ONCE_REFUSED)
def test_cases_that_the_compiler_or_the_verifier_refused(number: int, tmp_path: Path) -> None:
    plan = Plan(
        kind="crowded", seed="1", first=number, last=number + 1, cache=CACHE, findings=tmp_path
    )
    assert run(plan, 1, lambda _: None).failures == []


def test_the_last_fallback_does_the_same(tmp_path: Path) -> None:
    plan = Plan(
        kind="fallback", seed=SEED, first=0, last=12, frames=FRAMES, cache=CACHE, findings=tmp_path
    )
    total = run(plan, 1, lambda _: None)
    assert total.failures == []
    assert total.cases == 12


def test_broken_documents_are_refused_clearly(tmp_path: Path) -> None:
    plan = Plan(kind="invalid", seed=SEED, first=0, last=BROKEN, findings=tmp_path)
    total: Total = run(plan, 2, lambda _: None)
    assert total.failures == []
    assert total.cases == BROKEN


def test_the_command_refuses_and_touches_nothing(bpffs: Path, state_dir: Path) -> None:
    seeds = [f"{SEED}/invalid/{number}" for number in range(COMMANDS)]
    assert check_commands(seeds, bpffs, state_dir) == []
