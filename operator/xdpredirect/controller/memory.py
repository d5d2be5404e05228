"""Which nodes may run something, kept where it outlives every operator: in an annotation of the
lease, which is written every few seconds anyway and goes on to the next leader.

A Node that goes takes its node object with it, and may come back without the labels that an object
selects. Nobody else could tell then that its kernel still redirects. Used by `loop`.
"""

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Protocol

from xdpredirect.controller.due import Due
from xdpredirect.controller.fleet import Fleet

LIMIT = 128 * 1024
"""Octets of the annotation; the API server takes 256 KiB for all of an object."""


class Page(Protocol):
    """Where it is written down."""

    memory: str


class Memory:
    """`page` is read once, when the whole fleet is known, and written when another text is due."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._recalled = False
        self._count = -1

    def follow(self, fleet: Fleet) -> None:
        """To be called before each plan."""
        if not self._recalled:
            self._recalled = True
            named = frozenset(unpack(self._page.memory))
            lost = named - fleet.objects.keys()
            for name in sorted(lost):
                fleet.answers.remember(name)
            # Whose agent has never said anything: there may have been another object before.
            mute = (n for n in named - lost if not fleet.objects[n].observed_revision)
            fleet.answers.estranged.update(mute)
            fleet.mark(Due(frozenset(), lost))
        answers = fleet.answers
        if answers.changes != self._count:
            self._count = answers.changes
            self._page.memory = pack([*answers.unfinished, *sorted(answers.holding)])


def pack(names: Sequence[str]) -> str:
    """As text, of which the first names are left out as far as that takes."""
    while True:
        text = base64.b64encode(zlib.compress(" ".join(names).encode(), 9)).decode()
        if len(text) <= LIMIT:
            return text if names else ""
        names = names[len(names) // 4 :]


def unpack(text: str) -> tuple[str, ...]:
    """What `pack` made; nothing of what somebody else wrote there."""
    try:
        return tuple(zlib.decompress(base64.b64decode(text, validate=True)).decode().split())
    except (binascii.Error, zlib.error, ValueError):
        return ()
