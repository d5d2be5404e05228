"""When the redirects are listed: at first, after a break of their watch, and now and then.

Owned by `loop`, whose thread calls it.
"""

import logging
import random
import time
from dataclasses import dataclass, field

from xdpredirect.cluster.backoff import Backoff
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observe import RedirectFeed
from xdpredirect.errors import ApiError

_NOT_FOUND = 404
_HINT = "; have the CRDs been applied? kubectl apply --server-side -k config"
log = logging.getLogger("xdpredirect.controller")


@dataclass(slots=True)
class Relist:
    """`every` is in seconds, up to a quarter more. `listed`: there has been a list; `missed`: how
    many in a row had to tell what the watch had not."""

    feed: RedirectFeed
    every: float
    backoff: Backoff
    listed: bool = False
    missed: int = 0
    _due_at: float = field(default=0.0, init=False)
    _not_before: float = field(default=0.0, init=False)

    @property
    def at(self) -> float:
        """When the next list is due, in monotonic seconds."""
        return max(0.0 if self.feed.list_now else self._due_at, self._not_before)

    def when_due(self, fleet: Fleet) -> None:
        """List if it is time. After a break of the watch a list is expected to bring news, at
        other times it is not. While it fails, everything else goes on with what is known."""
        if time.monotonic() < self.at:
            return
        asked, self.feed.list_now = self.feed.list_now, False
        try:
            news = self.feed.list(fleet)
        except ApiError as error:
            self.feed.list_now = self.feed.list_now or asked
            delay = self.backoff.next(error.retry_after)
            self._not_before = time.monotonic() + delay
            hint = _HINT if error.status == _NOT_FOUND else ""
            log.warning("cannot list xdpredirects: %s%s; again in %.1f s", error, hint, delay)
            return
        self.backoff.reset()
        self.listed = True
        self._due_at = time.monotonic() + self.every * (1 + random.random() / 4)
        self.missed = self.missed + 1 if news and not asked else 0
        if self.missed:
            log.warning("the watch of xdpredirects missed %d changes", news)
