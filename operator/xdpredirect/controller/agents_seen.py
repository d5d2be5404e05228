"""What the operator knows of the agents' DaemonSet. Pure; part of `fleet`."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.controller.agents import APPLIED, DaemonSet, read_daemon_set
from xdpredirect.controller.observed import Document
from xdpredirect.controller.plain import child, text


@dataclass(slots=True)
class AgentsSeen:
    """`wanted` is the DaemonSet as it is to be applied; None: the operator has no business with
    agents. `confirmed` is the generation that this process left behind when it applied last,
    `kept` whether the spec there says everything that is wanted, as after a restart."""

    wanted: Document | None = None
    there: DaemonSet | None = None
    confirmed: int = 0
    kept: bool = False

    def put(self, document: Document, *, applied: bool = False) -> None:
        """The DaemonSet as the API server sent it; `applied`: in answer to an apply of ours."""
        self.there = read_daemon_set(document)
        self.kept = self.wanted is not None and says(document.get("spec"), self.wanted["spec"])
        if applied:
            self.confirmed = self.there.generation

    def drop(self) -> None:
        """It is gone."""
        self.there, self.confirmed, self.kept = None, 0, False

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
            or (self.there.generation != self.confirmed and not self.kept)
        )


def says(there: object, wanted: object) -> bool:
    """Whether the API server's value holds what was applied. It adds defaults, leaves away what is
    empty or false, and may write a quantity otherwise: then it is applied once more, for nothing.
    """
    if isinstance(wanted, Mapping):
        found = there if isinstance(there, Mapping) else {}
        return all(says(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list | tuple):
        found_items = there if isinstance(there, list | tuple) else ()
        return len(found_items) == len(wanted) and all(map(says, found_items, wanted))
    return there == wanted or (not there and not wanted)
