"""What is known of a socket that is handed out: pure. Made by `lease` and `report`, read by the
agent."""

from dataclasses import dataclass

from xdpredirect.xsk.grants import Peer
from xdpredirect.xsk.uapi import Statistics


@dataclass(frozen=True)
class Holding:
    """A socket of one queue.

    `rules` are (redirect, rule), of all whose frames go there. A socket that was taken back or
    given up, but is not closed yet, is `releasing`: it gets nothing, and nobody else can have the
    queue; its `rules` are those whose frames it got, and of its `statistics` nothing is known any
    more. `cookie` is the kernel's number of the socket, which no other one gets until the next
    boot. `away`: its device is in another network namespace. With `multi_buffer` its client takes
    frames in several pieces.
    """

    interface: str
    queue: int
    rules: tuple[tuple[str, str], ...]
    peer: Peer
    zero_copy: bool
    statistics: Statistics | None = None
    cookie: int = 0
    multi_buffer: bool = False
    away: bool = False

    @property
    def releasing(self) -> bool:
        """Whether the client has yet to close it."""
        return self.statistics is None
