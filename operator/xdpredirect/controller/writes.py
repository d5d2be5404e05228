"""How many writes the operator made, by what was written and what came of it. Pure; kept by
`loop`."""

from collections.abc import Iterator

from xdpredirect.controller.actions import (
    Action,
    AddFinalizer,
    ApplyDaemonSet,
    ApplyNodeObject,
    ApplyStatus,
    LabelNode,
    PostEvent,
    RemoveFinalizer,
)
from xdpredirect.errors import ApiError, XdpRedirectError

KINDS: dict[type[Action], str] = {
    AddFinalizer: "finalizer",
    RemoveFinalizer: "finalizer",
    ApplyNodeObject: "node_object",
    ApplyStatus: "status",
    ApplyDaemonSet: "daemon_set",
    LabelNode: "node_label",
    PostEvent: "event",
}
RESULTS = ("done", "conflict", "failed")
"""`conflict`: somebody else wrote in between, which the next plan knows."""


class Writes:
    """One thread counts; every pair is there from the beginning, so that a rate can be taken."""

    def __init__(self) -> None:
        self._counts = {(kind, result): 0 for kind in KINDS.values() for result in RESULTS}

    def note(self, action: Action, error: XdpRedirectError | None) -> None:
        """One write and what came of it."""
        result = "done" if error is None else "conflict" if conflict(error) else "failed"
        self._counts[KINDS[type(action)], result] += 1

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """(kind, result, how many); also for other threads, since no pair is ever added."""
        return ((kind, result, count) for (kind, result), count in self._counts.items())


def conflict(error: XdpRedirectError) -> bool:
    """Whether the API server refused it because of another version."""
    return isinstance(error, ApiError) and error.status == 409
