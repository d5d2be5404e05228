"""Frames that AF_XDP sockets have lost, out of the kernel's XDP_STATISTICS of each. Pure.

Called by `agent.ledger`. The drop monitor sees the same frames at xdp_redirect_err, and where it
counts, they are counted there; without it (a kernel without BTF), and of a device that was moved to
another network namespace, these are all that is known.
"""

from collections.abc import Iterable, Iterator, Mapping
from errno import ENOBUFS, ENOMEM, ENOSPC
from typing import NamedTuple

from xdpredirect.agent.losses import NOBODY, Attributed, Cause, Scene
from xdpredirect.datapath.abi import Event
from xdpredirect.errors import errno_name
from xdpredirect.host import XdpMode
from xdpredirect.reasons import Facts, MapKind, explain
from xdpredirect.xsk.holding import Holding

REMEMBERED = 1024
"""Sockets whose counts are remembered; one that its client brings back to the next agent goes on
where it stopped."""
Seen = Mapping[str, tuple[int, ...]]
_ERRORS = (ENOBUFS, ENOMEM, ENOSPC)


class Lost(NamedTuple):
    """Frames that one socket has lost since the last look, of one cause."""

    holding: Holding
    error: int
    packets: int


def lost_since(before: Seen, sockets: Mapping[str, Holding]) -> tuple[list[Lost], Seen]:
    """What grew, and what is to be remembered. Keys tell sockets apart, over reboots too."""
    seen, lost = dict(before), []
    for key, holding in sockets.items():
        now = _lost(holding)
        # To the end, so that those that were seen last are kept longest.
        known = seen.pop(key, (0,) * len(now))
        seen[key] = now
        grown = zip(_ERRORS, now, known, strict=True)
        lost += [Lost(holding, error, new - old) for error, new, old in grown if new > old]
    return lost, dict(list(seen.items())[-REMEMBERED:])


def attribute_socket(lost: Lost, scene: Scene) -> Attributed:
    """The cause, the same one that the drop monitor's count of these frames would have."""
    holding = lost.holding
    there = scene.meanings.named(holding.interface)
    target = f"socket {holding.queue}"
    reason, hint = explain(
        Facts(
            event=Event.REDIRECT_ERR,
            errno=lost.error,
            map=MapKind.SOCKET,
            interface=holding.interface,
            target=target,
            ingress=scene.host.link(there.ifindex) if there else None,
            mode=there.mode if there else XdpMode.NONE,
            kernel=scene.host.kernel,
        )
    )
    owner = _only(holding.rules) or _only((name, "") for name, _ in holding.rules) or NOBODY
    error = errno_name(lost.error)
    return Attributed(Cause(*owner, reason, error, holding.interface, target), hint)


def _lost(holding: Holding) -> tuple[int, ...]:
    """Frames by error, in the order of `_ERRORS` (net/xdp/xsk.c: __xsk_rcv, xsk_rcv_check)."""
    found = holding.statistics
    if found is None:
        return 0, 0, 0
    # In zero-copy the driver looks for buffers ahead of frames: an attempt that fails is no frame.
    how = (holding.zero_copy, holding.multi_buffer)
    empty = 0 if holding.zero_copy else found.for_want_of_memory(*how)
    return found.rx_ring_full, empty, found.dropped_otherwise(*how)


def _only(owners: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    found: Iterator[tuple[str, str]] = iter(dict.fromkeys(owners))
    first = next(found, None)
    return first if next(found, None) is None else None
