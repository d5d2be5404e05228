"""A seeded share of `make fuzz`: 200 random objects, 200 broken documents; see docs/fuzzing.md."""

from pathlib import Path

from tests.fuzz.campaign import Plan, Total, run
from tests.fuzz.refusal import check_commands
from tests.kernel.loaded import CACHE

SEED = "make test"
CASES = 100  # 1, 2 and 3 objects an interface in turn: 199 objects
BROKEN, COMMANDS = 200, 12
FRAMES = 20


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
    assert total.largest > 100


def test_broken_documents_are_refused_clearly(tmp_path: Path) -> None:
    plan = Plan(kind="invalid", seed=SEED, first=0, last=BROKEN, findings=tmp_path)
    total: Total = run(plan, 2, lambda _: None)
    assert total.failures == []
    assert total.cases == BROKEN


def test_the_command_refuses_and_touches_nothing(bpffs: Path, state_dir: Path) -> None:
    seeds = [f"{SEED}/invalid/{number}" for number in range(COMMANDS)]
    assert check_commands(seeds, bpffs, state_dir) == []
