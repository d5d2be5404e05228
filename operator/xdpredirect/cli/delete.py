"""`xdpredirect delete`: objects and everything they made in the kernel."""

from collections.abc import Iterable, Sequence
from typing import TypedDict, Unpack

import click

from xdpredirect.agent.store import Key, Store, key_of
from xdpredirect.cli.change import Edit, carry_out, rehearse
from xdpredirect.cli.exits import EXIT_CODES
from xdpredirect.cli.options import (
    GENERAL,
    dry_run_option,
    output_option,
    settings_options,
    timeout_option,
)
from xdpredirect.cli.runtime import Runtime
from xdpredirect.errors import InvalidInput
from xdpredirect.settings import Settings

KINDS = {
    "xdpredirect": "XdpRedirect",
    "xdpredirects": "XdpRedirect",
    "xdpr": "XdpRedirect",
    "xdpaddressset": "XdpAddressSet",
    "xdpaddresssets": "XdpAddressSet",
    "xdpas": "XdpAddressSet",
}


class DeleteOptions(TypedDict):
    """Options of `delete`, by parameter name."""

    names: tuple[str, ...]
    everything: bool
    dry_run: bool
    timeout: float
    output: str


@click.command(epilog=EXIT_CODES)
@click.argument("names", nargs=-1, metavar="[KIND/]NAME...")
# No variable: an exported one would turn a slip of the keyboard into an outage.
@click.option("--all", "everything", is_flag=True, help="every object of this machine")
@dry_run_option
@timeout_option
@output_option
@settings_options(*GENERAL)
@click.pass_obj
def delete(runtime: Runtime, /, settings: Settings, **options: Unpack[DeleteOptions]) -> int:
    """Remove objects, and what they made in the kernel.

    KIND is xdpredirect (xdpr) or xdpaddressset (xdpas); it may be left out where the name tells.
    With --all nothing of ours is left attached or pinned.
    """
    from xdpredirect.cli.results import finish  # noqa: PLC0415 - rich, only to print

    stored = [key_of(d) for d in Store(settings.state_dir).read_all().objects.documents]
    chosen = choose(options["names"], options["everything"], stored)
    edit = Edit(remove=chosen, clears=options["everything"])
    if options["dry_run"]:
        return finish(rehearse(runtime, settings, edit), options["output"], dry_run=True)
    result = carry_out(runtime, settings, edit, options["timeout"])
    return finish(result, options["output"])


def choose(names: Sequence[str], everything: bool, stored: Iterable[Key]) -> tuple[Key, ...]:
    """The objects meant by `names`. Raises InvalidInput with one line per name that means none,
    or two."""
    known = sorted(stored)
    if everything:
        if names:
            raise InvalidInput(("--all takes no names; leave out one of the two",))
        return tuple(known)
    if not names:
        raise InvalidInput(("nothing to delete; write NAME, KIND/NAME or --all",))
    chosen: list[Key] = []
    problems: list[str] = []
    for text in names:
        found = _find(text, known)
        if len(found) == 1:
            chosen.extend(found)
        elif found:
            problems.append(f"{text}: is the name of {' and '.join(map(str, found))}; write which")
        else:
            there = ", ".join(map(str, known)) or "no object"
            problems.append(f"{text}: is not here; this machine has {there}")
    if problems:
        raise InvalidInput(tuple(problems))
    return tuple(dict.fromkeys(chosen))


def _find(text: str, known: Iterable[Key]) -> list[Key]:
    kind, slash, name = text.partition("/")
    if not slash:
        return [key for key in known if key.name == text]
    wanted = KINDS.get(kind.lower())
    return [key for key in known if key.name == name and key.kind == wanted]
