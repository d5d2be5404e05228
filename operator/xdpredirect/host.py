"""What the agent observes of its machine (its network namespace): links, addresses and CPUs.

Plain values, filled by `kernel.observe_host` and read by the pure planners.
"""

from dataclasses import dataclass, field
from enum import IntFlag, StrEnum


class XdpFeatures(IntFlag):
    """Bits of NETDEV_A_DEV_XDP_FEATURES (include/uapi/linux/netdev.h)."""

    BASIC = 1
    REDIRECT = 2
    NDO_XMIT = 4
    XSK_ZEROCOPY = 8
    HW_OFFLOAD = 16
    RX_SG = 32
    NDO_XMIT_SG = 64


class XdpMode(StrEnum):
    """How a program is attached to a link now."""

    NONE = ""
    NATIVE = "Native"
    GENERIC = "Generic"
    OFFLOAD = "Offload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One network interface.

    `pci_address`, `driver` and `kind` are empty where there is none. `lower` is IFLA_LINK (the
    device below a VLAN, the peer of a veth) and 0 where there is none; `lower_here` is False when
    that device lives in another network namespace. `master` is 0 without one. `addresses` holds
    4 or 16 octets each. `offloads` maps ethtool feature names (`rx-vlan-hw-parse`,
    `tx-checksum-ip-generic`, ...) to whether they are on. `numa_node` is -1 when unknown.
    `rx_channels` and `tx_channels` are the queues in use. `irq_cpus` are the CPUs that its
    interrupts run on (effective affinity). A link that is `away` was moved to another network
    namespace: `ifindex` is its number there, and the rest is what it was like here.
    """

    ifindex: int
    name: str
    alt_names: tuple[str, ...] = ()
    kind: str = ""
    driver: str = ""
    pci_address: str = ""
    mac: bytes = b""
    permanent_mac: bytes = b""
    mtu: int = 1500
    up: bool = False
    carrier: bool = False
    master: int = 0
    lower: int = 0
    lower_here: bool = True
    vlan_id: int | None = None
    vlan_protocol: int | None = None
    features: XdpFeatures | None = None
    rx_channels: int = 1
    tx_channels: int = 1
    numa_node: int = -1
    promiscuity: int = 0
    carrier_changes: int = 0
    xdp_prog_id: int = 0
    xdp_mode: XdpMode = XdpMode.NONE
    addresses: tuple[bytes, ...] = ()
    offloads: dict[str, bool] = field(default_factory=dict)
    irq_cpus: tuple[int, ...] = ()
    rss_queues: tuple[int, ...] = ()
    away: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """One online CPU. `siblings` are the CPUs of its core, itself included."""

    id: int
    numa_node: int = 0
    siblings: tuple[int, ...] = ()
    isolated: bool = False
    exclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine. `labels` are those that a nodeSelector is held against; `users` are numbers by
    name, as far as they are known where the agent runs. `away` are links of other network
    namespaces that still carry programs of ours; none of `links`, and no target."""

    hostname: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    cpus: tuple[Cpu, ...] = ()
    kernel: tuple[int, int] = (0, 0)
    users: dict[str, int] = field(default_factory=dict)
    away: tuple[Link, ...] = ()

    def link(self, ifindex: int) -> Link | None:
        """The link with that ifindex, if it is there."""
        return next((link for link in self.links if link.ifindex == ifindex), None)
