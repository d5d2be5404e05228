"""Reasons of frames that a device refused at once. Read by the package; order counts."""

import errno

from xdpredirect.datapath.abi import Event
from xdpredirect.host import XdpFeatures
from xdpredirect.reasons.facts import Facts, MapKind, Own, Reason

ENQUEUE = (Event.REDIRECT_ERR,)
FLUSH = (Event.DEVMAP_XMIT, Event.BULK_TX)
DEVICE = (MapKind.DEVICE, MapKind.NONE)


def veth(facts: Facts) -> bool:
    """Whether the target is a veth."""
    return facts.link is not None and facts.link.kind == "veth"


def _down(facts: Facts) -> bool:
    return facts.link is not None and not facts.link.up


def _no_fragments(facts: Facts) -> bool:
    features = facts.link.features if facts.link else None
    return (
        features is not None
        and XdpFeatures.NDO_XMIT in features
        and XdpFeatures.NDO_XMIT_SG not in features
    )


REFUSED = (
    Reason(
        name="TargetDown",
        events=(*ENQUEUE, *FLUSH),
        errnos=(errno.ENETDOWN,),
        maps=DEVICE,
        when=lambda facts: facts.event is Event.REDIRECT_ERR or _down(facts),
        condition="refused at once, or the device is down now",
        cause="{target} is down.",
        fix="Set it up: `ip link set {target} up`, or take it out of the rule.",
    ),
    Reason(
        name="FrameTooBig",
        events=ENQUEUE,
        errnos=(errno.EMSGSIZE,),
        maps=DEVICE,
        cause="Frames are longer than the MTU of {target}, {mtu}, allows.",
        fix="`ip link set {target} mtu {ingress_mtu}`, as {interface} has it; on {interface} "
        "`ethtool -K {interface} lro off rx-gro-hw off`.",
    ),
    Reason(
        name="BroadcastOfFragments",
        events=ENQUEUE,
        errnos=(errno.EOPNOTSUPP,),
        maps=DEVICE,
        when=lambda facts: facts.broadcast,
        condition="the rule is a Broadcast",
        cause="A frame in several buffers from {interface} cannot be copied for a broadcast.",
        fix="Lower the MTU: `ip link set {interface} mtu 3498`.",
        kernels="up to 6.2 no frame in several buffers goes to any device, and nothing tells",
    ),
    Reason(
        name="TargetCannotTakeFragments",
        events=ENQUEUE,
        errnos=(errno.EOPNOTSUPP,),
        maps=DEVICE,
        when=_no_fragments,
        condition="the device has NDO_XMIT but not NDO_XMIT_SG",
        cause="{target} takes no frames in several buffers (NDO_XMIT_SG).",
        fix="Lower the MTU where they arrive: `ip link set {interface} mtu 3498`, or choose a "
        "device that has it.",
        kernels="from 6.3",
    ),
    Reason(
        name="TargetCannotTransmit",
        events=ENQUEUE,
        errnos=(errno.EOPNOTSUPP,),
        maps=DEVICE,
        when=veth,
        condition="the device is a veth",
        cause="{target} is a veth whose peer has neither GRO nor an XDP program.",
        fix="At the peer: `ethtool -K {peer} gro on`.",
        kernels="up to 6.2 as ENXIO at xdp_devmap_xmit",
    ),
    Reason(
        name="TargetCannotTransmit",
        events=ENQUEUE,
        errnos=(errno.EOPNOTSUPP,),
        maps=DEVICE,
        condition="any other device",
        cause="{target} cannot transmit XDP frames now (NDO_XMIT).",
        fix="Most NICs can once a program is attached: `prepare: Apply`; else use `mode: Generic`.",
        kernels="up to 6.2 as ENXIO at xdp_devmap_xmit; mlx5 needs the program from 6.19 on",
    ),
    Reason(
        name="TooManyUpperDevices",
        events=ENQUEUE,
        errnos=(errno.EOVERFLOW,),
        maps=DEVICE,
        when=lambda facts: facts.broadcast,
        condition="the rule is a Broadcast",
        cause="More than 8 devices are stacked on {interface}, so that a broadcast cannot leave "
        "them out.",
        fix="See `ip link show`; remove some, or set `ingressDevice: Include`.",
    ),
    Reason(
        name="NoHeadroom",
        events=ENQUEUE,
        errnos=(errno.EOVERFLOW,),
        cause="{interface} leaves no room around the frame for the redirect to {target}.",
        fix="Use `mode: Generic` on {interface}.",
        source="net/core/xdp.c: xdp_update_frame_from_buff; bpf_xdp_adjust_head() refuses before",
    ),
    Reason(
        name="MapFreed",
        events=ENQUEUE,
        errnos=(errno.ENOENT,),
        maps=DEVICE,
        cause="The map went away while frames from {interface} were copied; a change was being "
        "made.",
        fix="Nothing, when it stops; otherwise `xdpredirect status` says what changes so often.",
        source="kernel/bpf/devmap.c: dev_map_enqueue_multi",
    ),
    Reason(
        name="CopyFailed",
        events=ENQUEUE,
        errnos=(errno.ENOMEM,),
        maps=DEVICE,
        cause="No memory for the copy of a frame from {interface}.",
        fix="Fewer members in the Broadcast, or more memory: `cat /proc/buddyinfo`.",
        source="kernel/bpf/devmap.c: dev_map_enqueue_clone",
    ),
    Reason(
        name="NoHeadroom",
        events=(Own.REWRITE,),
        cause="{interface} leaves no room in front of the frame for the VLAN tag of the rewrite.",
        fix="Use `mode: Generic` on {interface}.",
        source="net/core/filter.c: bpf_xdp_adjust_head; drivers that leave less than 4 octets",
    ),
)
"""Refused before they were put in a queue."""
