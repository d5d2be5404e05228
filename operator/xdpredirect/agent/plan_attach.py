"""The part of the plan that puts a program onto an interface or takes it off. Pure; called by
`agent.plan`."""

from collections.abc import Iterator

from xdpredirect.agent.actions import Action, Attach, Detach, Swap
from xdpredirect.agent.observed import ObservedGeneration, ObservedInterface
from xdpredirect.api.redirect import Mode
from xdpredirect.datapath.layout import Layout
from xdpredirect.datapath.wanted import WantedInterface
from xdpredirect.host import Link, XdpFeatures, XdpMode


def detach(seen: ObservedInterface) -> Detach:
    """Take what runs off its interface."""
    generic, ifindex = seen.mode is XdpMode.GENERIC, seen.attached_to
    return Detach(interface=seen.name, ifindex=ifindex, program=seen.running, generic=generic)


def _wrong_mode(generic: bool | None, link: Link, seen: ObservedInterface) -> bool:
    """Whether to attach anew for the sake of the mode. A driver without native XDP keeps what it
    has: taking that away would leave nothing."""
    if generic is None:
        return False
    if generic:
        return seen.mode is XdpMode.NATIVE
    native = link.features is None or bool(link.features & XdpFeatures.BASIC)
    return native and seen.mode is XdpMode.GENERIC


def attach(
    wanted: WantedInterface,
    layout: Layout,
    seen: ObservedInterface,
    whole: ObservedGeneration | None,
) -> Iterator[Action]:
    """Put the layout's program where it is to run. `whole` is its generation, if it is complete."""
    name, ifindex = wanted.link.name, wanted.link.ifindex
    generic = {Mode.NATIVE: False, Mode.GENERIC: True, Mode.AUTO: None}[wanted.mode]
    # The number of a device that is away may be that of another one here.
    misplaced = (seen.attached_to, seen.away) not in ((0, False), (ifindex, wanted.link.away))
    # Only where a device is can it get another program than through its link.
    wrong_mode = not wanted.link.away and _wrong_mode(generic, wanted.link, seen)
    if seen.attached_to and not misplaced and not wrong_mode:
        if whole is None or seen.running != whole.program:
            yield Swap(
                interface=name,
                generation=layout.digest,
                ifindex=ifindex,
                old_program=seen.running,
                generic=seen.mode is XdpMode.GENERIC,
            )
        return
    if misplaced or wrong_mode or seen.dead_link:
        yield detach(seen)
    yield Attach(interface=name, generation=layout.digest, ifindex=ifindex, generic=generic)
