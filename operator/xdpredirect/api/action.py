"""What a rule does with a frame: the parsed form of `spec.rules[].action`, one class per type."""

from dataclasses import dataclass
from enum import StrEnum

from xdpredirect.api.clients import PodClients, SocketProtocol
from xdpredirect.api.match import Prefix, Range


class OnMiss(StrEnum):
    """Verdict when the map holds no entry for the frame; Continue goes on with the next rule."""

    PASS = "Pass"
    DROP = "Drop"
    TX = "TX"
    ABORT = "Abort"
    CONTINUE = "Continue"


class SpreadBy(StrEnum):
    """What chooses one of the 256 slots of a spread."""

    FLOW = "Flow"
    INNER_FLOW = "InnerFlow"
    SOURCE_IP = "SourceIP"
    DESTINATION_IP = "DestinationIP"
    RX_QUEUE = "RxQueue"
    ROUND_ROBIN = "RoundRobin"


class KeyBy(StrEnum):
    """What the key of a table is read from."""

    VLAN = "VLAN"
    VNI = "VNI"
    TEID = "TEID"
    DSCP = "DSCP"
    RX_QUEUE = "RxQueue"
    INGRESS_INTERFACE = "IngressInterface"
    SOURCE_IP = "SourceIP"
    DESTINATION_IP = "DestinationIP"
    SOURCE_MAC = "SourceMAC"
    DESTINATION_MAC = "DestinationMAC"


class VlanOperation(StrEnum):
    """Change of the outer VLAN tag."""

    PUSH = "Push"
    POP = "Pop"
    REPLACE = "Replace"


class Avoid(StrEnum):
    """CPUs that `cpus.auto` stays away from."""

    IRQ = "IRQ"
    ISOLATED = "Isolated"
    SIBLINGS = "Siblings"
    EXCLUSIVE = "Exclusive"


class SocketAccess(StrEnum):
    """What an AF_XDP socket may do."""

    RECEIVE = "Receive"
    RECEIVE_TRANSMIT = "ReceiveTransmit"


class CopyMode(StrEnum):
    """How frames come into the memory of an AF_XDP socket."""

    AUTO = "Auto"
    COPY = "Copy"
    ZERO_COPY = "ZeroCopy"


@dataclass(frozen=True, slots=True, kw_only=True)
class VlanRewrite:
    """`id` is None for Pop."""

    operation: VlanOperation
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Changes to a frame on the way out. MACs are 6 octets."""

    destination_mac: bytes | None = None
    source_mac: bytes | None = None
    swap_macs: bool = False
    vlan: VlanRewrite | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """To the network stack."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Discarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tx:
    """Back out of the interface on which the frame arrived."""

    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDevice:
    """DEVMAP with one entry. `name` is an entry of `spec.devices` or an interface."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """A member and its share of the slots."""

    name: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGroup:
    """DEVMAP behind 256 slots."""

    members: tuple[GroupMember, ...]
    spread_by: SpreadBy = SpreadBy.FLOW


# A table key as it is looked up: a number (VLAN, VNI, TEID, DSCP, queue), a name (group of an
# address set, interface), a MAC address or a network.
TableKey = int | str | bytes | Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """One key of a device table; `text` is the key as written."""

    text: str
    key: TableKey
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTable:
    """DEVMAP_HASH, or HASH or LPM in front of a DEVMAP for keys longer than 4 octets."""

    key_by: KeyBy
    entries: tuple[DeviceEntry, ...]
    address_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """DEVMAP with BPF_F_BROADCAST."""

    devices: tuple[str, ...]
    exclude_ingress: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoCPUs:
    """CPUs chosen on each node. `count` None takes all that remain."""

    count: int | None = None
    avoid: tuple[Avoid, ...] = ()
    numa_ingress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What the CPUMAP program does. `device` None and `drop` False: the network stack."""

    drop: bool = False
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CPUs:
    """CPUMAP behind 256 slots; exactly one of `set` and `auto` is given."""

    set: tuple[Range, ...] = ()
    auto: AutoCPUs | None = None
    queue_size: int = 2048
    spread_by: SpreadBy = SpreadBy.FLOW
    then: Then = Then()


@dataclass(frozen=True, slots=True, kw_only=True)
class CPUEntry:
    """One key of a CPU table; `text` is the key as written."""

    text: str
    key: TableKey
    cpu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CPUTable:
    """CPUMAP behind a key."""

    key_by: KeyBy
    entries: tuple[CPUEntry, ...]
    address_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """XSKMAP keyed by receive queue. `users` are names or numbers of users, as written; which pods
    `pods` are only a cluster knows."""

    queues: tuple[Range, ...]
    users: tuple[str, ...] = ()
    pods: tuple[PodClients, ...] = ()
    access: SocketAccess = SocketAccess.RECEIVE
    copy_mode: CopyMode = CopyMode.AUTO
    protocol: SocketProtocol = SocketProtocol.NATIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """bpf_fib_lookup, then DEVMAP_HASH keyed by ifindex. `table` None: as the host's rules say."""

    table: int | None = None


Action = (
    Pass
    | Drop
    | Tx
    | ToDevice
    | DeviceGroup
    | DeviceTable
    | Broadcast
    | CPUs
    | CPUTable
    | Sockets
    | Route
)
