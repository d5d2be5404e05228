"""Whether a device can take frames now: for groups and broadcasts. Called by `datapath.actions`."""

from xdpredirect.api.redirect import Mode
from xdpredirect.datapath.builder import Builder
from xdpredirect.host import Link, XdpFeatures


def is_alive(builder: Builder, link: Link) -> bool:
    """Whether a member can take its share: a link without carrier, or one that its driver does
    not transmit to, would lose every frame."""
    return link.carrier and _transmits(builder, link)


def _transmits(builder: Builder, link: Link) -> bool:
    """Whether the kernel accepts frames for the device: xdp_ok_fwd_dev, and NDO_XMIT in native
    mode (kernel/bpf/devmap.c)."""
    if builder.wanted.mode is Mode.GENERIC or link.features is None:
        return link.up
    return link.up and bool(link.features & XdpFeatures.NDO_XMIT)


def takes_copies(builder: Builder, link: Link, exclude_ingress: bool) -> bool:
    """Whether the kernel sends a copy: kernel/bpf/devmap.c is_valid_dst."""
    own = exclude_ingress and link.ifindex == builder.wanted.link.ifindex
    return not own and _transmits(builder, link)
