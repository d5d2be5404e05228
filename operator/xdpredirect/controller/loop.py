"""The operator's life: take what was heard, plan what is due, act, and again.

Called by `process`. One thread owns the caches; writes go through a few more at once, so that a
slow one does not hold up a thousand others.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from xdpredirect.cluster.backoff import Backoff
from xdpredirect.controller.act import Actor, take
from xdpredirect.controller.actions import (
    Action,
    ApplyDaemonSet,
    ApplyNodeObject,
    ApplyStatus,
    PostEvent,
)
from xdpredirect.controller.due import Due
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.limits import Limits
from xdpredirect.controller.observe import Inbox, RedirectFeed
from xdpredirect.controller.order import chains, key_of, phases
from xdpredirect.controller.pending import Pending
from xdpredirect.controller.plan import plan
from xdpredirect.controller.relist import Relist
from xdpredirect.controller.writes import Writes, conflict
from xdpredirect.errors import ApiError, XdpRedirectError

log = logging.getLogger("xdpredirect.controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in seconds; `writers` is how many write at once, `batch` how many nodes one pass is
    about. `settle`: a pass begins when a burst of changes has lasted so long;
    `counters`: at least so long between two writes of one status that only differ in counters;
    `listing`: between two lists of the redirects, up to a quarter more; `after_failure`: before a
    list that failed is tried again the first time, doubling to `longest_failure`."""

    settle: float = 0.05
    counters: float = 2.0
    listing: float = 600.0
    longest_wait: float = 5.0
    after_failure: float = 1.0
    longest_failure: float = 30.0
    writers: int = 4
    batch: int = 64


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one action. `left`: it was not begun, and is planned again."""

    action: Action
    stored: Mapping[str, object] | None = None
    error: XdpRedirectError | None = None
    left: bool = False


class Loop(threading.Thread):
    """A daemon thread. `alive_at` is the monotonic time of its last round; `passes` counts the
    rounds that had everything they needed, `writes` what was written."""

    def __init__(
        self, fleet: Fleet, inbox: Inbox, actor: Actor, feed: RedirectFeed, pace: Pace | None = None
    ) -> None:
        super().__init__(name="loop", daemon=True)
        self._fleet, self._inbox, self._actor = fleet, inbox, actor
        self._pace = pace or Pace()
        self._pending = Pending(chance=random.random)
        self._stopped = threading.Event()
        self._may_act: Callable[[], bool] = lambda: True
        self._before: tuple[Callable[[Fleet], None], ...] = ()
        self._limits = Limits(self._pace.counters)
        first, longest = self._pace.after_failure, self._pace.longest_failure
        backoff = Backoff(chance=random.random, first=first, longest=longest)
        self._relist = Relist(feed, self._pace.listing, backoff)
        self._backlog: dict[str, None] = {}
        self.alive_at = time.monotonic()
        self.passes, self.writes = 0, Writes()

    @property
    def missed(self) -> int:
        """How many lists in a row had to tell what the watch had not."""
        return self._relist.missed

    def when(self, may_act: Callable[[], bool], *before: Callable[[Fleet], None]) -> None:
        """Plan and write only while `may_act` says that the caches know the whole fleet and that
        nobody else leads. It is asked before each write, by several threads; `before` is called
        with the caches before each plan, in the loop's own thread."""
        self._may_act, self._before = may_act, before

    def stop(self) -> None:
        """Begin no other write, and end when those that run now are through."""
        self._stopped.set()
        self._inbox.put(lambda _: None, hurry=True)

    def run(self) -> None:
        """Rounds until `stop`."""
        with ThreadPoolExecutor(self._pace.writers, thread_name_prefix="writer") as writers:
            while not self._stopped.is_set():
                try:
                    self._round(writers)
                except ApiError as error:
                    log.warning("cannot look at the cluster: %s", error)
                    self._stopped.wait(self._pace.after_failure)
                except Exception:
                    # A defect in one key's planning must not end the others' for good.
                    log.exception("a pass failed; everything is planned again")
                    self._fleet.mark(self._fleet.everything())
                    self._stopped.wait(self._pace.after_failure)

    def _round(self, writers: ThreadPoolExecutor) -> None:
        self.alive_at = time.monotonic()
        # What an answer to the last pass made due belongs to a burst that has settled already.
        settle = self._pace.settle if self._fleet.idle and not self._backlog else 0.0
        self._inbox.take(self._fleet, self._patience(), settle)
        if self._stopped.is_set() or not self._may_act():
            return
        self._relist.when_due(self._fleet)
        if not self._relist.listed:
            return
        self._fleet.advance(time.monotonic())
        for look in self._before:
            look(self._fleet)
        due = self._bounded(self._pending.ready(self._alive(), time.monotonic()))
        actions = plan(self._fleet, due, time.time())
        for group in phases(actions):
            self._perform(writers, group)
        self.passes += 1

    def _alive(self) -> Due:
        """What is due; of what is gone nothing is kept here either."""
        due = self._fleet.take_due()
        for name in due.redirects - self._fleet.redirects.keys():
            self._pending.forget("redirect", name)
        for name in due.nodes - self._fleet.nodes.keys():
            self._pending.forget("node", name)
        return due

    def _bounded(self, due: Due) -> Due:
        """At most a batch of the nodes, in the order in which they became due: what a large fleet
        waits for must not hold up what people are told."""
        self._backlog |= dict.fromkeys(sorted(due.nodes - self._backlog.keys()))
        batch = [*self._backlog][: self._pace.batch]
        for name in batch:
            del self._backlog[name]
        return Due(due.redirects, frozenset(batch))

    def _patience(self) -> float:
        """How long nothing is going to be due by itself."""
        if not self._may_act():
            return 0.05
        now = time.monotonic()
        if not self._relist.listed:
            return max(min(self._relist.at - now, self._pace.longest_wait), 0.0)
        if self._backlog or not self._fleet.idle:
            return 0.0
        pending, silence = self._pending.next_at(), self._fleet.answers.next_at()
        waits = [self._pace.longest_wait, self._relist.at - now]
        waits += [pending - now] if pending is not None else []
        waits += [silence - now] if silence is not None else []
        return max(min(waits), 0.0)

    def _may(self, action: Action) -> bool:
        """Whether it is time for this write."""
        if isinstance(action, ApplyDaemonSet):
            return not self._pending.blocked(*key_of(action), time.monotonic())
        if isinstance(action, PostEvent):
            return self._limits.post(action, time.monotonic())
        if not isinstance(action, ApplyStatus):
            return True
        known = self._fleet.redirects.get(action.redirect)
        if known is None or known.resource_version != action.resource_version:
            return False  # its finalizer was added in this pass; the next one knows the answer
        now = time.monotonic()
        at = self._limits.tell(action, now)
        if at > now:
            self._pending.wait("redirect", action.redirect, at)
        else:
            self._pending.rest(action.redirect, now + self._pace.counters)
        return at <= now

    def _allowed(self, chain: Sequence[Action]) -> list[Action]:
        """What of a chain may be done now: nothing when its first may not."""
        if not self._may(chain[0]):
            return []
        return [chain[0], *(action for action in chain[1:] if self._may(action))]

    def _perform(self, writers: ThreadPoolExecutor, actions: Sequence[Action]) -> None:
        """All of one phase; those of one key one after another, until one of them fails."""
        due = [self._allowed(chain) for chain in chains(actions)]
        for results in writers.map(self._chain, due):
            for result in results:
                self._settle(result)

    def _chain(self, actions: Sequence[Action]) -> list[Result]:
        results: list[Result] = []
        for action in actions:
            if self._stopped.is_set() or not self._may_act():
                return [*results, Result(action, left=True)]
            try:
                results.append(Result(action, self._actor.perform(action, time.time())))
            except XdpRedirectError as error:
                return [*results, Result(action, error=error)]
        return results

    def _settle(self, result: Result) -> None:
        action, error = result.action, result.error
        kind, name = key_of(action)
        if result.left:
            self._pending.wait(kind, name, time.monotonic())
            return
        self.writes.note(action, error)
        if error is None:
            about = self._about(action)
            self._pending.succeeded(kind, name)
            take(self._fleet, action, result.stored)
            log.info("%s", action, extra=about | self._about(action))
            return
        about = self._about(action)
        asked = error.retry_after if isinstance(error, ApiError) else 0.0
        delay = self._pending.failed(kind, name, time.monotonic(), asked)
        # Somebody else wrote in between: the watch brings it, and the next plan knows it.
        level = logging.DEBUG if conflict(error) else logging.WARNING
        log.log(level, "%s: %s; again in %.1f s", action, error, delay, extra=about)

    def _about(self, action: Action) -> dict[str, object]:
        """What a record of the log is about, for programs. `generation` is that of the XdpRedirect,
        or of the node object, as it is known now."""
        kind, name = key_of(action)
        if kind == "agents":
            return {}
        if isinstance(action, ApplyNodeObject):
            told: dict[str, object] = {"node": name, "revision": action.revision}
            there = self._fleet.objects.get(name)
            return {**told, "generation": there.generation} if there else told
        if kind == "node":
            return {"node": name}
        redirect = self._fleet.redirects.get(name)
        return {"object": name, "generation": redirect.generation} if redirect else {"object": name}
