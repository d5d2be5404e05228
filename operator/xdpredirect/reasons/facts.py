"""What is known about lost frames, and what one row of the table of reasons looks like.

Used by the tables of this package; filled by `agent.losses`. Pure values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from xdpredirect.datapath.abi import Event
from xdpredirect.host import Link, XdpMode


class Own(IntEnum):
    """Losses that no tracepoint shows: our own programs count them, by rule."""

    MISS = 101
    REWRITE = 102


class MapKind(StrEnum):
    """What the redirect went through. NONE: bpf_redirect(), or no helper at all. UNKNOWN: a map of
    another program, which is gone or must not be looked at."""

    NONE = ""
    DEVICE = "DEVMAP"
    CPU = "CPUMAP"
    SOCKET = "XSKMAP"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One cause of loss. `errno` is positive, 0 for none.

    `interface` names where the frames arrived, `ingress` is that link; `target` is the device, CPU
    or key in words, `link` the device and `peer` the other end of a veth where both are known.
    `broadcast`: the rule sends copies. `egress`: a program of ours runs on the way out. `cpus` is
    the number of CPUs online, `kernel` its version.
    """

    event: Event | Own
    errno: int = 0
    map: MapKind = MapKind.NONE
    interface: str = ""
    target: str = ""
    ingress: Link | None = None
    link: Link | None = None
    peer: Link | None = None
    mode: XdpMode = XdpMode.NONE
    verdict: int = 0
    broadcast: bool = False
    egress: bool = False
    cpus: int = 0
    kernel: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One row. It fits when the event is one of `events`, the errno one of `errnos` (empty: any),
    the map one of `maps` (empty: any) and `when` holds; `condition` says the last in words.

    `cause` and `fix` are sentences with the placeholders of `words_of`; commands stand in back
    quotes. `kernels` notes where versions differ. `source` names what proves a row that needs
    hardware; it is empty for rows that tests/kernel makes for real (tests/unit/test_conformance.py
    holds that).
    """

    name: str
    events: tuple[Event | Own, ...]
    cause: str
    fix: str
    errnos: tuple[int, ...] = ()
    maps: tuple[MapKind, ...] = ()
    when: Callable[[Facts], bool] | None = None
    condition: str = ""
    kernels: str = ""
    source: str = ""

    def fits(self, facts: Facts) -> bool:
        """Whether the row explains these facts."""
        return (
            facts.event in self.events
            and (not self.errnos or facts.errno in self.errnos)
            and (not self.maps or facts.map in self.maps)
            and (self.when is None or self.when(facts))
        )


def words_of(facts: Facts) -> dict[str, str]:
    """What the placeholders of a row stand for."""
    peer = facts.peer.name if facts.peer else "<peer>"
    return {
        "interface": facts.interface or "<interface>",
        "target": facts.target or "<device>",
        "peer": peer,
        "mtu": str(facts.link.mtu) if facts.link else "<mtu>",
        "ingress_mtu": str(facts.ingress.mtu) if facts.ingress else "<mtu>",
        "channels": str(facts.link.tx_channels) if facts.link else "fewer",
        "cpus": str(facts.cpus) if facts.cpus else "<cpus>",
    }
