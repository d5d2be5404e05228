"""What the operator knows of the agents' DaemonSet. Pure; part of `fleet`."""

from dataclasses import dataclass

from xdpredirect.controller.agents import APPLIED, DaemonSet, read_daemon_set
from xdpredirect.controller.observed import Document
from xdpredirect.controller.plain import child, text


@dataclass(slots=True)
class AgentsSeen:
    """`wanted` is the DaemonSet as it is to be applied; None: the operator has no business with
    agents. `confirmed` is the generation that this process left behind when it applied last."""

    wanted: Document | None = None
    there: DaemonSet | None = None
    confirmed: int = 0

    def put(self, document: Document, *, applied: bool = False) -> None:
        """The DaemonSet as the API server sent it; `applied`: in answer to an apply of ours."""
        self.there = read_daemon_set(document)
        if applied:
            self.confirmed = self.there.generation

    def drop(self) -> None:
        """It is gone."""
        self.there, self.confirmed = None, 0

    @property
    def due(self) -> bool:
        """Whether it has to be applied: to be there, to be another one, or because somebody has
        changed it since."""
        if self.wanted is None:
            return False
        digest = text(child(child(self.wanted, "metadata"), "annotations"), APPLIED)
        return (
            self.there is None
            or self.there.applied != digest
            or self.there.generation != self.confirmed
        )
