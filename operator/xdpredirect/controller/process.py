"""The operator as a process: the lease first, then caches, loop and kopf, until a signal or until
the lease is lost.

Called by the command `operator`. Ending leaves every datapath as it is; whoever leads next lists
the cluster anew and writes only what differs.
"""

import asyncio
import gc
import logging
import random
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import yaml

from xdpredirect import __version__
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Pace, Reflector, Sink
from xdpredirect.cluster.resource import (
    DAEMONSETS,
    LEASES,
    NODE_OBJECTS,
    NODES,
    REDIRECTS,
    Document,
)
from xdpredirect.controller import handlers
from xdpredirect.controller.act import Actor
from xdpredirect.controller.agents import NAME, Agents, daemon_set, read_agents
from xdpredirect.controller.election import Election
from xdpredirect.controller.exporter import Exporter
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.lease import LEASE, PATIENCE
from xdpredirect.controller.loop import Loop
from xdpredirect.controller.memory import Memory
from xdpredirect.controller.observe import (
    Change,
    DaemonSetSink,
    Inbox,
    NodeObjectSink,
    NodeSink,
    RedirectFeed,
)
from xdpredirect.controller.pod_watch import PodWatch
from xdpredirect.controller.probes import Probes
from xdpredirect.controller.read_node import node_essence
from xdpredirect.errors import ApiError, InvalidInput
from xdpredirect.metrics.server import listening
from xdpredirect.settings import Settings, this_pod

STALE_SECONDS = 240.0
"""A watch is silent for 90 seconds at most before it is opened anew, a loop turns every 5."""
REST = 0.25
"""Seconds between two looks at what a busy fleet reports."""
GARBAGE = (20_000, 20, 20)
"""Thresholds of Python's collector: a burst of documents is no garbage, and to look through the
whole fleet for cycles each time cost as much as all the rest."""
POLL_SECONDS = 0.2
AGAIN_SECONDS = (1.0, 3.0)
log = logging.getLogger("xdpredirect.controller")


def run_operator(settings: Settings) -> int:
    """Lead when nobody else does. Returns the exit code: 0 after SIGTERM or SIGINT, 1 when the
    lease was lost. Raises InvalidInput or OSError when it cannot start."""
    gc.set_threshold(*GARBAGE)
    identity = f"{this_pod() or socket.gethostname()}_{random.randrange(1 << 32):08x}"
    api = Api.connect(settings.kubeconfig, f"xdpredirect-operator/{__version__}")
    impatient = Api(api.access, api.user_agent, PATIENCE)
    election = Election(impatient, LEASES.within(settings.namespace), LEASE, identity)
    agents = daemon_set(_read(settings.agents), settings.namespace) if settings.agents else None
    leader = Leader(settings, api, election, identity, agents)
    checks = {"/healthz": leader.ailment, "/readyz": leader.unready}
    exporter = Exporter(leader, (api.requests, impatient.requests))
    probes = Probes(*listening(settings.probes), checks, {"/metrics": exporter.page})
    stop = threading.Event()
    _end_at_signals(stop)
    election.start()
    try:
        while not stop.is_set() and not election.won.wait(POLL_SECONDS):
            pass
        if not stop.is_set():
            leader.lead(stop)
    finally:
        lost = election.lost.is_set()
        election.stop()
        probes.close()
        impatient.close()
        api.close()
    return 1 if lost else 0


@dataclass(slots=True)
class Leader:
    """What runs while this process leads."""

    settings: Settings
    api: Api
    election: Election
    identity: str
    agents: Document | None = None
    reflectors: list[Reflector] = field(default_factory=list)
    loop: Loop | None = None
    inbox: Inbox = field(default_factory=Inbox)

    def lead(self, stop: threading.Event) -> None:
        """Watch, plan and act until `stop` is set or the lease is lost."""
        inbox = self.inbox
        feed = RedirectFeed(inbox, self.api)
        nodes = Query(resource=NODES, essence=node_essence, page=100)
        objects = Query(resource=NODE_OBJECTS)
        self.reflectors += (
            Reflector(self.api, nodes, NodeSink(inbox)),
            Reflector(self.api, objects, NodeObjectSink(inbox, self.api), Pace(rest_seconds=REST)),
        )
        fleet = Fleet(self.settings.silence_seconds, self.election.term)
        if self.agents is not None:
            fleet.agents.wanted = self.agents
            there = Query(
                resource=DAEMONSETS.within(self.settings.namespace),
                field_selector=f"metadata.name={NAME}",
            )
            self.reflectors.append(Reflector(self.api, there, DaemonSetSink(inbox)))
        self.loop = Loop(fleet, inbox, Actor(self.api, self.identity), feed)
        pods = PodWatch(self._watch_pods, inbox)
        self.loop.when(self._may_plan, Memory(self.election).follow, pods.follow)
        over = threading.Event()
        # Not in the main thread: there kopf would take the signals, and a second for each of its
        # tasks, while the next leader waits for the lease.
        kopf = threading.Thread(
            target=self._watch_redirects, args=(feed, over), name="kopf", daemon=True
        )
        for thread in (*self.reflectors, self.loop, kopf):
            thread.start()
        while not stop.is_set() and not self.election.lost.wait(POLL_SECONDS):
            pass
        over.set()
        self.loop.stop()
        for reflector in self.reflectors:
            reflector.stop()
        self.loop.join()
        pods.stop()

    def ailment(self) -> str:
        """What a new process would mend: a thread or a watch that went quiet."""
        now, old = time.monotonic(), []
        if self.loop is not None and self.loop.missed > 1:
            old.append("the watch of xdpredirects misses changes")
        for name, at in self.heard().items():
            if now - at > STALE_SECONDS:
                old.append(f"{name}: nothing for {now - at:.0f} s")
        return "; ".join(old)

    def heard(self) -> dict[str, float]:
        """The last sign of life of each thread and watch, in monotonic seconds."""
        heard = {"election": self.election.alive_at}
        heard |= {item.name: item.heard for item in self.reflectors}
        return heard | ({"loop": self.loop.alive_at} if self.loop is not None else {})

    def leads(self) -> bool:
        """Whether this process acts."""
        return self.election.leads()

    def ask(self, question: Change) -> None:
        """Let the loop's thread call this with the fleet."""
        self.inbox.put(question, hurry=True)

    def unready(self) -> str:
        """Why this replica is of no use yet. One that waits for the lease is ready to take over."""
        if self.loop is None or not self.election.won.is_set():
            return ""
        return "" if self.loop.passes else "the caches are not filled yet"

    def _may_plan(self) -> bool:
        """Not before the whole fleet is known, and not once somebody else may lead."""
        return self.election.leads() and all(item.synced.is_set() for item in self.reflectors)

    def _watch_pods(self, query: Query, sink: Sink) -> Reflector:
        """Not among those that a plan waits for, nor those that a probe looks at: of a namespace
        that the operator may not read nobody but its own pods suffers."""
        watching = Reflector(self.api, query, sink, Pace(rest_seconds=REST))
        watching.name += f"-{query.resource.namespace}"
        return watching

    def _watch_redirects(self, feed: RedirectFeed, over: threading.Event) -> None:
        """Runs kopf again and again; what ends it is logged, and a list finds what it missed."""
        while not over.is_set():
            asked = 0.0
            try:
                # Of a kind that is not there when it starts kopf never hears, even when it comes.
                self.api.list(REDIRECTS)
                asyncio.run(handlers.watch(lambda: self.api.access, feed.heard, over))
            except Exception as error:
                log.error("the watch of xdpredirects ended, it starts again: %s", error)
                asked = error.retry_after if isinstance(error, ApiError) else 0.0
            if not over.is_set():
                feed.again()
                over.wait(asked + random.uniform(*AGAIN_SECONDS))


def _read(path: Path) -> Agents:
    """The file of --agents. Raises InvalidInput that names it."""
    try:
        return read_agents(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise InvalidInput((f"{path}: {error.strerror}",)) from None
    except yaml.YAMLError as error:
        raise InvalidInput((f"{path}: is not YAML: {error}",)) from None
    except InvalidInput as error:
        raise InvalidInput(tuple(f"{path}: {line}" for line in error.problems)) from None


def _end_at_signals(stop: threading.Event) -> None:
    def end(number: int, _: FrameType | None) -> None:
        log.info("%s: stopping; every datapath stays", signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
