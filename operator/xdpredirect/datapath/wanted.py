"""What one interface should run: the resolver's answer and the layout's question.

Names are resolved: devices are links of this machine, CPUs are numbers. Written by
`datapath.resolve`, read by `datapath.layout`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.api.action import Rewrite
from xdpredirect.api.match import Prefix
from xdpredirect.api.redirect import Mode, Protect, Rule
from xdpredirect.host import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device as a rule means it here. `link` is None when the machine has no such device.
    `rewrite` is what leaves through it wears."""

    name: str
    link: Link | None
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRule:
    """One rule with what its names stand for on this interface.

    `devices` maps each device name of the action to its targets: one, or all that the entry
    selects for a broadcast. `cpus` are the CPUs of a spread, `alive` those of them that are online.
    `source` and `destination` are the contents of address sets. `groups` are the groups of the
    table's address set. `users` are the numbers of the users who may take its sockets,
    `pod` is the UID of the pod that has its whole map, empty while none has.
    """

    rule: Rule
    devices: Mapping[str, tuple[Target, ...]]
    cpus: tuple[int, ...] = ()
    source: tuple[Prefix, ...] = ()
    destination: tuple[Prefix, ...] = ()
    groups: Mapping[str, tuple[Prefix, ...]] | None = None
    users: frozenset[int] = frozenset()
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedObject:
    """The rules of one object, in order, without those for other arrival interfaces."""

    name: str
    generation: int
    protect: Protect
    rules: tuple[PlacedRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInterface:
    """One interface and the objects on it, in order of precedence.

    `mode` is as the first object wishes; `frags` whether programs take frames in several buffers.
    """

    link: Link
    mode: Mode
    frags: bool
    objects: tuple[PlacedObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What layouts need of the machine, apart from the interface itself. `routes` are the devices
    that Route may send to; `uppers` VLAN devices as (ifindex, port, VLAN ID). `cpus` is one more
    than the highest online CPU id."""

    local_addresses: frozenset[bytes] = frozenset()
    online: frozenset[int] = frozenset()
    cpus: int = 1
    routes: tuple[int, ...] = ()
    uppers: tuple[tuple[int, int, int], ...] = ()
