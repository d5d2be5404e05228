"""What is wanted of this node comes from the API server, and how it does goes back there.

Called by `agent.loop` when a node is given. Reflectors and the reporter are threads that only hand
over; everything is decided and written in the loop. While the API server is away, and when the node
object is gone, the last spec counts.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import cast

from xdpredirect import __version__
from xdpredirect.agent.inbox import NodeInbox
from xdpredirect.agent.node_status import About, Findings, node_status
from xdpredirect.agent.node_store import NodeStore
from xdpredirect.agent.orders import Orders, Refusal, read_orders
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.pods_file import write_pods
from xdpredirect.agent.readiness import Readiness, readiness
from xdpredirect.agent.reporter import Reporter
from xdpredirect.agent.set_source import SetSource
from xdpredirect.agent.store import Document
from xdpredirect.agent.wake import Wake
from xdpredirect.api.node import FEATURES
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Reflector
from xdpredirect.cluster.resource import NODE_OBJECTS
from xdpredirect.settings import Settings

_STOP_SECONDS = 2.0
log = logging.getLogger("xdpredirect.agent")


@contextmanager
def cluster_source(settings: Settings) -> Iterator["NodeSource"]:
    """The source of the node `settings.node`, followed until the block ends. Raises InvalidInput
    when the API server's address or credentials are not there."""
    with readiness(settings.state_dir) as ready, Wake() as wake:
        api = Api.connect(settings.kubeconfig, f"xdpredirect-agent/{__version__}")
        source = NodeSource(settings, api, wake, ready)
        source.start()
        try:
            yield source
        finally:
            source.stop()


class NodeSource:
    """All methods but `start` and `stop` are those that `agent.loop` expects of a source."""

    def __init__(self, settings: Settings, api: Api, wake: Wake, ready: Readiness) -> None:
        self._wake, self._ready = wake, ready
        self._state_dir = settings.state_dir
        self._store = NodeStore(settings.state_dir)
        self._reporter = Reporter(api, settings.node, every=settings.report_seconds)
        self._inbox = NodeInbox(wake.set, self._reporter.saw)
        query = Query(resource=NODE_OBJECTS, field_selector=f"metadata.name={settings.node}")
        self._reflector = Reflector(api, query, self._inbox)
        self._sets = SetSource(api, wake.set)
        features = tuple(sorted(FEATURES))
        self._about = About(
            agent_version=__version__, kernel_version=os.uname().release, features=features
        )
        self._orders: Orders | None = None
        self._refusal: Refusal | None = None
        self._unread: Document | None = None
        self._differs = True
        self._heard = False

    def start(self) -> None:
        """Take up what was wanted last, then listen."""
        remembered = self._store.remembered()
        if remembered is not None:
            self._judge(remembered)
        self._reporter.start()
        self._reflector.start()

    def stop(self) -> None:
        """End the threads; nothing that they still hold back is lost, only late."""
        self._sets.stop()
        for thread in (self._reflector, self._reporter):
            thread.stop()
        for thread in (self._reflector, self._reporter):
            thread.join(_STOP_SECONDS)

    def fileno(self) -> int:
        """Readable when something new is wanted."""
        return self._wake.fileno()

    def drain(self) -> bool:
        """Take the news; whether there was any."""
        return self._wake.drain()

    def take(self) -> bool:
        """Bring the files up to what is wanted. False while nobody has ever said what that is:
        then nothing may be changed. Raises OSError."""
        # Before the inbox is emptied: of what comes in between nothing is known yet.
        self._heard = self._inbox.heard
        # What could not be kept, as on a full disk, is tried again with the next pass.
        self._unread = self._inbox.take() or self._unread
        if self._unread is not None:
            self._judge(self._unread)
            self._unread = None
        if self._orders is None:
            self._ready.say(self._heard and self._refusal is None)
            self._tell(None, "")
            return False
        self._sets.need(self._orders.address_sets)
        self._differs |= self._sets.take()
        if self._differs:
            self._ready.say(False)
            wanted = (*self._sets.changed(), *self._orders.documents)
            self._store.replace(wanted, self._sets.kept())
            write_pods(self._state_dir, self._orders.pods)
            self._sets.written()
            self._differs = False
        return True

    def report(self, outcome: Outcome) -> None:
        """What a pass did."""
        done = self._orders is not None and self._refusal is None and not self._sets.reading
        self._ready.say(done and self._heard and not (outcome.defects or outcome.problems))
        self._tell(outcome, "")

    def failed(self, words: str) -> None:
        """Why a pass could not be made."""
        self._ready.say(False)
        self._tell(None, words)

    def ended(self) -> str:
        """Which of its threads have ended, by name; empty while all are at work."""
        threads = (self._reflector, self._reporter, *self._sets.threads)
        return ", ".join(thread.name for thread in threads if not thread.is_alive())

    def _judge(self, document: Document) -> None:
        judged = read_orders(document, __version__)
        if isinstance(judged, Refusal):
            self._refusal = judged
            self._ready.say(False)
            log.error("%s: %s", judged.reason, judged.message)
            return
        kept = {name: document[name] for name in ("apiVersion", "kind", "spec")}
        metadata = cast(Document, document["metadata"])
        named = {name: metadata[name] for name in ("name", "uid", "generation")}
        self._store.remember({**kept, "metadata": named})
        self._orders, self._refusal, self._differs = judged, None, True
        log.info("revision %d: %d XdpRedirects", judged.revision, len(judged.documents))

    def _tell(self, outcome: Outcome | None, problem: str) -> None:
        """Offer the status to the reporter, when there is an object to write it to."""
        about = self._refusal or self._orders
        if about is None:
            return
        documents = outcome.documents if outcome else ()
        found = Findings(
            generation=about.generation,
            revision=about.revision,
            report=outcome.report if outcome else None,
            uids={_text(document, "name"): _text(document, "uid") for document in documents},
            lingering=outcome.lingering if outcome else (),
            refusal=self._refusal,
            problem=problem,
            reading_sets=self._sets.reading,
        )
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._reporter.offer(node_status(found, self._about, self._reporter.held(), now), about.uid)


def _text(document: Document, field: str) -> str:
    return str(cast(Document, document["metadata"]).get(field, ""))
