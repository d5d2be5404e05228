"""Reasons of frames that were on their way to a device. Read by the package; order counts."""

import errno

from xdpredirect.datapath.abi import Event
from xdpredirect.host import XdpFeatures
from xdpredirect.reasons.facts import Facts, MapKind, Own, Reason

ENQUEUE = (Event.REDIRECT_ERR,)
FLUSH = (Event.DEVMAP_XMIT, Event.BULK_TX)
DEVICE = (MapKind.DEVICE, MapKind.NONE)
_TAPS = ("tun", "tap")


def _veth(facts: Facts) -> bool:
    return facts.link is not None and facts.link.kind == "veth"


def _tap(facts: Facts) -> bool:
    return facts.link is not None and (facts.link.kind in _TAPS or facts.link.driver in _TAPS)


def _down(facts: Facts) -> bool:
    return facts.link is not None and not facts.link.up


def _no_fragments(facts: Facts) -> bool:
    features = facts.link.features if facts.link else None
    return (
        features is not None
        and XdpFeatures.NDO_XMIT in features
        and XdpFeatures.NDO_XMIT_SG not in features
    )


def _veth_without_receiver(facts: Facts) -> bool:
    """Before 6.3 a veth refuses at the flush when its peer, which is up, runs nothing."""
    return _veth(facts) and facts.kernel < (6, 3) and facts.peer is not None and facts.peer.up


def _few_queues(facts: Facts) -> bool:
    return facts.link is not None and not _veth(facts) and facts.link.tx_channels < facts.cpus


def _peer_smaller(facts: Facts) -> bool:
    return _veth(facts) and facts.peer is not None and bool(facts.link) and _smaller(facts)


def _smaller(facts: Facts) -> bool:
    largest = max(link.mtu for link in (facts.link, facts.ingress) if link)
    return facts.peer is not None and facts.peer.mtu < largest


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
        cause="A frame in several buffers cannot be copied for a broadcast.",
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
        when=_veth,
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
        name="NoHeadroom",
        events=ENQUEUE,
        errnos=(errno.EOVERFLOW,),
        cause="{interface} leaves no room around the frame for the redirect, or {target} has more "
        "than 8 devices stacked on it.",
        fix="Use `mode: Generic` on {interface}, or put fewer devices on top of {target}.",
    ),
    Reason(
        name="MapFreed",
        events=ENQUEUE,
        errnos=(errno.ENOENT,),
        maps=DEVICE,
        cause="The map went away while frames were copied; a change was being made.",
        fix="Nothing, when it stops; otherwise `xdpredirect status` says what changes so often.",
        source="kernel/bpf/devmap.c: dev_map_enqueue_multi",
    ),
    Reason(
        name="CopyFailed",
        events=ENQUEUE,
        errnos=(errno.ENOMEM,),
        maps=DEVICE,
        cause="No memory for the copy of a frame.",
        fix="Fewer members in the Broadcast, or more memory: `cat /proc/buddyinfo`.",
        source="kernel/bpf/devmap.c: dev_map_enqueue_clone",
    ),
    Reason(
        name="NoHeadroom",
        events=(Own.REWRITE,),
        cause="{interface} leaves no room in front of the frame for the VLAN tag of the rewrite.",
        fix="Use `mode: Generic` on {interface}.",
    ),
)
"""Refused before they were put in a queue."""

FLUSHED = (
    Reason(
        name="PeerDown",
        events=FLUSH,
        errnos=(errno.ENXIO,),
        when=lambda facts: _veth(facts) and not _veth_without_receiver(facts),
        condition="the device is a veth",
        cause="The peer of {target} is down, so nobody takes the frames.",
        fix="Where the peer lives: `ip link set {peer} up`.",
    ),
    Reason(
        name="TargetCannotTransmit",
        events=FLUSH,
        errnos=(errno.ENXIO,),
        when=_veth_without_receiver,
        condition="a veth whose peer is up, Linux up to 6.2",
        cause="{target} is a veth whose peer runs no XDP program.",
        fix="Attach one that passes everything to {peer}: `prepare: Apply`.",
        kernels="up to 6.2",
        source="drivers/net/veth.c of 6.1: veth_xdp_xmit",
    ),
    Reason(
        name="TapWithoutReader",
        events=FLUSH,
        errnos=(errno.ENXIO,),
        when=_tap,
        condition="the device is a tap or tun",
        cause="No process has {target} open.",
        fix="Start the virtual machine or program behind it; `ip -details link show {target}`.",
    ),
    Reason(
        name="TooFewTransmitQueues",
        events=FLUSH,
        errnos=(errno.ENXIO,),
        when=_few_queues,
        condition="fewer transmit channels than CPUs online",
        cause="{target} has {channels} transmit channels for {cpus} CPUs; frames of the others "
        "are lost.",
        fix="`ethtool -L {target} combined {cpus}`, or move interrupts to the first CPUs.",
        source="i40e_txrx.c: i40e_xdp_xmit, mlx5 en/xdp.c: mlx5e_xdp_xmit",
    ),
    Reason(
        name="DeviceResetting",
        events=FLUSH,
        errnos=(errno.ENXIO, errno.ENETDOWN, errno.EINVAL),
        condition="none of the above",
        cause="{target} took no frames: it was being reset, reconfigured or closed.",
        fix="Nothing, when it stops; otherwise look at `dmesg` and `ip -statistics link show "
        "{target}`.",
        source="ice_txrx.c, ena_xdp.c, bnxt_xdp.c: their ndo_xdp_xmit",
    ),
    Reason(
        name="EgressProgramFailed",
        events=FLUSH,
        errnos=(0,),
        when=lambda facts: facts.egress,
        condition="copies of a Broadcast are rewritten on the way out",
        cause="No room for the VLAN tag of the rewrite on the way out of {target}.",
        fix="Use `mode: Generic` on {interface}, or send to {target} without the tag.",
    ),
    Reason(
        name="PeerMtuSmaller",
        events=FLUSH,
        errnos=(0,),
        when=_peer_smaller,
        condition="the MTU of a veth's peer is smaller",
        cause="The peer of {target} has a smaller MTU than the frames need.",
        fix="`ip link set {peer} mtu {mtu}`, where the peer lives.",
    ),
    Reason(
        name="PeerRingFull",
        events=FLUSH,
        errnos=(0,),
        when=_veth,
        condition="the device is a veth",
        cause="The peer of {target} has 256 frames waiting, or a smaller MTU than they need.",
        fix="More CPU or queues for whoever receives on {peer}; equal MTUs: `ip link show {peer}`.",
    ),
    Reason(
        name="TapReaderSlow",
        events=FLUSH,
        errnos=(0,),
        when=_tap,
        condition="the device is a tap or tun",
        cause="Whoever reads {target} is too slow; its queue is full.",
        fix="`ip link set {target} txqueuelen 10000`, or more queues for the virtual machine.",
    ),
    Reason(
        name="TransmitRingFull",
        events=FLUSH,
        errnos=(0, errno.ENOSPC, errno.EBUSY),
        cause="Frames come faster than {target} sends, and XDP has no queue in between.",
        fix="`ethtool -G {target} tx 4096`, more channels, or a faster device.",
        source="ndo_xdp_xmit of every NIC driver",
    ),
)
"""Lost when the queue was handed to the driver."""
