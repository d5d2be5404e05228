"""Who may take AF_XDP sockets: the parsed form of `sockets.clients`."""

from dataclasses import dataclass
from enum import StrEnum

from xdpredirect.api.labels import LabelSelector


class ClientType(StrEnum):
    """What a client is."""

    PODS = "Pods"
    USERS = "Users"


class SocketProtocol(StrEnum):
    """How a client gets an AF_XDP socket: from the agent, or by making one and putting it into the
    map, as it is used to from the AF_XDP device plugin."""

    NATIVE = "Native"
    DEVICE_PLUGIN = "DevicePlugin"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodClients:
    """Pods of one namespace, by their labels."""

    namespace: str
    selector: LabelSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Of all items together, each once. `users` are names or numbers, as written."""

    users: tuple[str, ...] = ()
    pods: tuple[PodClients, ...] = ()
