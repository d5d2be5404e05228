"""examples/xsk.c: built as its head says, run without privileges, it gets the exact frames."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.kernel.brokered import Brokered, brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY

ROOT = Path(__file__).parents[2]
N = 1000
# More than the UMEM has, so that all of it is given back and used again.
ROUNDS = 5
POWERLESS = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=-all", "--bounding-set=-all"),
]


def build(target: Path, *words: str) -> None:
    """By the command in the example's head, every warning an error."""
    source = ROOT / "examples" / "xsk.c"
    command = f"cc -O2 -o {target} {source}".split()
    assert " *\tcc -O2 -o xsk examples/xsk.c\n" in source.read_text()
    subprocess.run([*command, "-Wall", "-Wextra", "-Werror", *words], check=True)


@contextmanager
def running(b: Brokered, queue: int = 0) -> Iterator[Popen[str]]:
    """The example, which has its socket."""
    program = b.dut.state_dir / "xsk"
    build(program)
    with b.dut.running([*POWERLESS, str(program), str(b.directory), "p1", str(queue)]) as process:
        yield process


def line(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def receives(b: Brokered, process: Popen[str]) -> None:
    frames = b.frames(N)
    b.source.send(frames)
    assert [line(process) for _ in frames] == [f"64 {frame.hex()}" for frame in frames]


@pytest.mark.parametrize("standard", ["-std=gnu11", "-std=gnu17"])
def test_it_builds_without_optimisation_too(tmp_path: Path, standard: str) -> None:
    build(tmp_path / "xsk", "-O0", standard)


def test_it_receives_the_exact_frames(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with running(b) as process:
            ifindex = b.scene.ingress.ifindex
            assert line(process) == f"bound p1 {ifindex} 0 2048 2048 copy receive multi-buffer"
            for _ in range(ROUNDS):
                receives(b, process)
        b.wait(lambda: not b.server.report())
        assert b.is_empty()


def test_long_frames_are_put_together(lab: Lab) -> None:
    """Of two pieces, between others; more than the UMEM has in all."""
    with brokered(lab, mtu=3000) as b:
        b.grant(users={NOBODY})
        with running(b) as process:
            assert line(process).endswith(" multi-buffer")
            for _ in range(ROUNDS):
                long = b.frames(N // 4, 3000)
                frames = [f for pair in zip(b.frames(N // 4), long, strict=True) for f in pair]
                b.source.send(frames)
                expected = [f"{len(frame)} {frame.hex()}" for frame in frames]
                assert [line(process) for _ in frames] == expected


def test_it_goes_on_while_the_broker_is_replaced(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with running(b) as process:
            assert line(process).startswith("bound p1 ")
            b.stop()
            receives(b, process)
            b.start()
            b.wait(b.server.report)
            receives(b, process)
            b.grants.clear()
            b.server.update(())
            assert line(process) == "withdrawn p1 0"
            assert process.wait(timeout=60) == 1


def test_it_says_why_it_gets_nothing(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with running(b) as process:
            assert line(process) == f"refused NotGranted user {NOBODY} has no grant for p1"
            assert process.wait(timeout=60) == 1
