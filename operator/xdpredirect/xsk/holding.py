"""What is known of a socket that is handed out: pure. Made by `report`, read by the agent."""

from dataclasses import dataclass

from xdpredirect.xsk.grants import Peer
from xdpredirect.xsk.uapi import Statistics


@dataclass(frozen=True)
class Holding:
    """A socket of one queue.

    `rules` are (redirect, rule), of all whose frames go there. A socket that was taken back or
    given up, but is not closed yet, is `releasing`: it gets nothing, and nobody else can have the
    queue; its `rules` are those whose frames it got, and the rest is not known any more.
    """

    interface: str
    queue: int
    rules: tuple[tuple[str, str], ...] = ()
    peer: Peer | None = None
    zero_copy: bool = False
    statistics: Statistics | None = None

    @property
    def releasing(self) -> bool:
        """Nobody holds it any more."""
        return self.peer is None
