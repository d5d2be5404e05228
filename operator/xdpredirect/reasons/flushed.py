"""Reasons of frames that a device took, and that were lost when the queue was handed to its driver.

Read by the package; order counts.
"""

import errno

from xdpredirect.datapath.abi import Event
from xdpredirect.reasons.devices import FLUSH, veth
from xdpredirect.reasons.facts import Facts, Reason

_TAPS = ("tun", "tap")


def _tap(facts: Facts) -> bool:
    return facts.link is not None and (facts.link.kind in _TAPS or facts.link.driver in _TAPS)


def _veth_without_receiver(facts: Facts) -> bool:
    """A veth refuses at the flush when its peer, which is up, has no NAPI; from 6.3 on only what
    XDP_TX sends back, for a redirect is refused before. A peer that is up gives a carrier."""
    late = facts.event is Event.BULK_TX or facts.kernel < (6, 3)
    return veth(facts) and late and bool(facts.link and facts.link.carrier)


def _few_queues(facts: Facts) -> bool:
    return facts.link is not None and not veth(facts) and facts.link.tx_channels < facts.cpus


def _peer_smaller(facts: Facts) -> bool:
    return veth(facts) and facts.peer is not None and bool(facts.link) and _smaller(facts)


def _smaller(facts: Facts) -> bool:
    largest = max(link.mtu for link in (facts.link, facts.ingress) if link)
    return facts.peer is not None and facts.peer.mtu < largest


FLUSHED = (
    Reason(
        name="PeerDown",
        events=FLUSH,
        errnos=(errno.ENXIO,),
        when=lambda facts: veth(facts) and not _veth_without_receiver(facts),
        condition="the device is a veth",
        cause="The peer of {target} is down, so nobody takes the frames.",
        fix="Where the peer lives: `ip link set {peer} up`.",
    ),
    Reason(
        name="TargetCannotTransmit",
        events=FLUSH,
        errnos=(errno.ENXIO,),
        when=_veth_without_receiver,
        condition="a veth whose peer is up; XDP_TX, or Linux up to 6.2",
        cause="{target} is a veth whose peer has neither GRO nor an XDP program.",
        fix="At the peer: `ethtool -K {peer} gro on`.",
        kernels="redirects as well up to 6.2",
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
        when=lambda facts: veth(facts) and facts.peer is not None,
        condition="the device is a veth, and its peer is in the same network namespace",
        cause="The peer of {target} has 256 frames waiting: it gets more than it can work off.",
        fix="More CPU for whoever receives on {peer}, or more queues: `ethtool -L {peer} rx N`.",
    ),
    Reason(
        name="PeerRefused",
        events=FLUSH,
        errnos=(0,),
        when=veth,
        condition="the device is a veth, and its peer is in another network namespace",
        cause="The peer of {target} did not take them: 256 frames wait there, or its MTU is "
        "smaller; or a program of the DEVMAP dropped them.",
        fix="There: `ip link set {peer} mtu {mtu}`; more CPU or queues for who receives.",
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
