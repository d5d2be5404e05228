"""`make fuzz`: both campaigns in full, with a progress line, and an exit code for scripts.

python -m tests.fuzz [--count 10000] [--seed 1] [--jobs 2] [--first 0] [--only valid|invalid]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.fuzz.campaign import Plan, Total, run
from tests.fuzz.case import objects_of
from tests.fuzz.refusal import check_commands

COMMANDS = 200
_PRINT_EVERY = 30.0


@click.command()
@click.option("--count", default=10_000, show_default=True, help="objects, and broken documents")
@click.option("--seed", default="1", show_default=True, help="another seed gives other objects")
@click.option("--jobs", default=2, show_default=True, help="processes")
@click.option("--first", default=0, show_default=True, help="case to continue at")
@click.option("--only", type=click.Choice(("valid", "invalid")), help="one of the two campaigns")
def main(count: int, seed: str, jobs: int, first: int, only: str | None) -> None:
    """Run the campaigns; exit 1 when there are findings, each in a file below build/fuzz."""
    failures: list[str] = []
    if only != "invalid":
        failures += _campaign("valid", seed, (first, _cases(count)), jobs)
    if only != "valid":
        failures += _campaign("invalid", seed, (first, count), jobs)
        failures += _commands(seed, min(COMMANDS, count))
    for failure in failures:
        click.echo(failure)
    click.echo(f"{len(failures)} findings" + (", see build/fuzz" if failures else ""))
    sys.exit(1 if failures else 0)


def _cases(objects: int) -> int:
    """Cases that hold so many objects together."""
    number = 0
    while objects > 0:
        objects -= objects_of(number)
        number += 1
    return number


def _campaign(kind: str, seed: str, numbers: tuple[int, int], jobs: int) -> list[str]:
    first, last = numbers
    console = Console()
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(
        TextColumn("{task.description}"), *columns, console=console, disable=not console.is_terminal
    )
    task = progress.add_task(kind, total=last - first)
    started = printed = time.monotonic()
    total = Total()

    def report(so_far: Total) -> None:
        nonlocal printed, total
        total = so_far
        now = time.monotonic()
        rate = so_far.cases / max(now - started, 0.001)
        words = f"{kind}: {so_far.objects} objects, {len(so_far.failures)} findings, {rate:.1f}/s"
        progress.update(task, completed=so_far.cases, description=words)
        if not console.is_terminal and now - printed > _PRINT_EVERY:
            printed = now
            left = (last - first - so_far.cases) / rate
            console.print(f"{words}, about {left / 60:.0f} min left", highlight=False)

    try:
        with progress:
            run(Plan(kind=kind, seed=seed, first=first, last=last), jobs, report)
    except KeyboardInterrupt:
        click.echo(f"go on with --only {kind} --seed {seed} --first {total.next_case(first)}")
    click.echo(
        f"{kind}: cases {first} to {last} of seed {seed}: {total.cases} cases, "
        f"{total.objects} objects, {total.rules} rules (at most {total.largest} a program), "
        f"{total.frames} frames, {total.refused} objects that could not share an interface, "
        f"{len(total.failures)} findings in {time.monotonic() - started:.0f} s"
    )
    return total.failures


def _commands(seed: str, count: int) -> list[str]:
    """The real command in a bpffs and a state directory of its own."""
    with tempfile.TemporaryDirectory(prefix="xdpredirect-fuzz-") as scratch:
        bpffs, state = Path(scratch, "bpf"), Path(scratch, "state")
        bpffs.mkdir()
        state.mkdir()
        subprocess.run(["mount", "-t", "bpf", "bpf", str(bpffs)], check=True)
        try:
            seeds = [f"{seed}/invalid/{number}" for number in range(count)]
            found = check_commands(seeds, bpffs, state)
        finally:
            subprocess.run(["umount", str(bpffs)], check=True)
    click.echo(f"invalid: {count} of them through the command: {len(found)} findings")
    return found


if __name__ == "__main__":
    main()
