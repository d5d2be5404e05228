"""The log of what clients do. Made by `server` and `plugin_server`, each of which has its own.

A client with a grant may take and give back its queue as fast as it can, and one without may ask
as often: neither is to fill the disk of the node. `log_limit` decides.
"""

import logging
import math
import time
from typing import NamedTuple

from xdpredirect.xsk.closing import Closing, Owner
from xdpredirect.xsk.log_limit import WINDOW_SECONDS, Limit


class _Kind(NamedTuple):
    level: int
    owner: Owner
    form: str


class ClientLog:
    """Lines of one owner, level and `form` (as of `logging`) are of a kind. Not safe for threads:
    its server's lock is held."""

    def __init__(self, log: logging.Logger) -> None:
        self._log, self._limit = log, Limit()

    def info(self, owner: Owner, form: str, *args: object) -> None:
        """Something that is allowed."""
        self._offer(_Kind(logging.INFO, owner, form), *args)

    def warning(self, owner: Owner, form: str, *args: object) -> None:
        """Something that was refused."""
        self._offer(_Kind(logging.WARNING, owner, form), *args)

    def error(self, owner: Owner, form: str, *args: object, defect: bool = False) -> None:
        """Something that does not work; with the traceback of a `defect`, which is being
        handled."""
        self._offer(_Kind(logging.ERROR, owner, form), *args, defect=defect)

    def deadline(self) -> float | None:
        """When `tell` is due, on the monotonic clock."""
        return self._limit.deadline()

    def tell(self) -> None:
        """Of what was not written in windows that are over by now."""
        self._tell(time.monotonic())

    def close(self) -> None:
        """Tell of everything that was not written so far."""
        self._tell(math.inf)

    def _offer(self, kind: _Kind, *args: object, defect: bool = False) -> None:
        now = time.monotonic()
        self._tell(now)
        if self._limit.admits(kind, kind.form % args, now):
            self._log.log(kind.level, kind.form, *args, exc_info=defect)

    def _tell(self, now: float) -> None:
        for key, lines, line in self._limit.ended(now):
            level = key.level if isinstance(key, _Kind) else logging.WARNING
            form = "%s (one of %s more such lines within %d s)"
            self._log.log(level, form, line, f"{lines:,}", WINDOW_SECONDS)


class Shared(NamedTuple):
    """What all connections of a server have in common."""

    closing: Closing
    log: ClientLog
