"""One simulated agent: everything of the real one but the machine.

It reads its node object, works for as long as a compilation takes, and reports through the real
agent's own status and write policy (`agent.node_status`, `agent.reporter`). Made by `crowd`.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from xdpredirect import __version__
from xdpredirect.agent.node_status import About, Findings, node_status
from xdpredirect.agent.report import (
    InterfaceReport,
    Loss,
    ObjectReport,
    Report,
    RuleCounters,
    RuleReport,
)
from xdpredirect.agent.reporter import Reporter, Writer
from xdpredirect.api.node import FEATURES
from xdpredirect.host import XdpMode

Document = Mapping[str, Any]
INTERFACE, TARGET = "in", "p1"
SINCE = "2026-01-01T00:00:00Z"
NOTHING = RuleCounters()
ABOUT = About(
    agent_version=__version__,
    kernel_version=os.uname().release,
    features=tuple(sorted(FEATURES)),
)


class Simulated:
    """`saw` and `act` may come from different threads. `packets` is what each rule has counted."""

    def __init__(self, node: str, writer: Writer) -> None:
        self.node = node
        self.packets = 1
        self.reporter = Reporter(writer, node)
        self._document: Document | None = None
        self._known: tuple[str, int] = ("", 0)

    def saw(self, document: Document) -> bool:
        """The node object as the server holds it; whether there is a new spec to act on."""
        self.reporter.saw(document)
        metadata = document["metadata"]
        known = (metadata["uid"], metadata["generation"])
        if known == self._known:
            return False
        self._document, self._known = document, known
        return True

    def act(self) -> dict[str, int]:
        """Report how the machine would be once it runs the spec. Returns which generation of each
        object that is."""
        document = self._document
        if document is None:
            return {}
        redirects = document["spec"].get("redirects", [])
        found = Findings(
            generation=document["metadata"]["generation"],
            revision=document["spec"]["revision"],
            report=self._report(redirects),
            uids={item["name"]: item["uid"] for item in redirects},
        )
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = node_status(found, ABOUT, self.reporter.held(), now)
        self.reporter.offer(status, document["metadata"]["uid"])
        return {item["name"]: item["generation"] for item in redirects}

    def _report(self, redirects: list[Document]) -> Report:
        rules = tuple(
            RuleReport(
                object=item["name"],
                rule=rule["name"],
                action="Device",
                targets=(TARGET,),
                counters=RuleCounters(packets=self.packets, octets=64 * self.packets),
            )
            for item in redirects
            for rule in item["spec"]["rules"]
        )
        interface = InterfaceReport(
            name=INTERFACE,
            ifindex=2,
            driver="veth",
            mode=XdpMode.NATIVE,
            frags=True,
            program_id=1,
            program="",
            objects=tuple(item["name"] for item in redirects),
            error="",
            rules=rules,
            unmatched=NOTHING,
            protected=NOTHING,
            malformed=NOTHING,
        )
        return Report(objects=tuple(map(_object, redirects)), interfaces=(interface,))


def _object(item: Document) -> ObjectReport:
    """It runs, and has lost a few frames some time ago."""
    loss = Loss(
        object=item["name"],
        rule=item["spec"]["rules"][0]["name"],
        reason="TargetRingFull",
        errno="ENOSPC",
        interface=INTERFACE,
        target=TARGET,
        packets=3,
        rate=0.0,
        since=SINCE,
        hint="the target takes frames slower than they come; spread them over more targets",
    )
    return ObjectReport(
        name=item["name"],
        generation=item["generation"],
        applied_generation=item["generation"],
        state="Active",
        selected=True,
        interfaces=(INTERFACE,),
        conflicted=(),
        failed=(),
        findings=(),
        losses=(loss,),
    )
