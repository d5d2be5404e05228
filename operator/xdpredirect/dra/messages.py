"""What kubelet and a DRA driver say to each other: pure. Called by `driver`.

The messages of kubelet's services `pluginregistration.Registration` and
`k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin`, by their field numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.dra import protobuf
from xdpredirect.errors import InvalidInput

GET_INFO = "/pluginregistration.Registration/GetInfo"
NOTIFY = "/pluginregistration.Registration/NotifyRegistrationStatus"
PREPARE = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources"
UNPREPARE = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodeUnprepareResources"
_SERVICE, _TYPE = "v1.DRAPlugin", "DRAPlugin"


@dataclass(frozen=True, slots=True)
class ClaimRef:
    """Which ResourceClaim is meant. The name may be that of another one by now; the UID is not."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device of a pool for the requests of a claim, and what the container runtime knows it by:
    names of devices of the Container Device Interface, such as `vendor/class=name`."""

    requests: tuple[str, ...]
    pool: str
    name: str
    cdi: tuple[str, ...]


def plugin_info(driver: str, endpoint: str) -> bytes:
    """PluginInfo: this is the driver, and where it answers."""
    parts = (_TYPE, driver, endpoint, _SERVICE)
    return b"".join(protobuf.field(number, part) for number, part in enumerate(parts, start=1))


def read_registration(message: bytes) -> str:
    """RegistrationStatus: why kubelet does not take the driver; empty when it does. Raises
    InvalidInput."""
    taken, words = False, ""
    for number, value in protobuf.fields(message):
        if number == 1:
            taken = value == 1
        elif number == 2 and isinstance(value, bytes):
            words = value.decode(errors="replace")
    return "" if taken else words or "it does not say why"


def read_claims(message: bytes) -> tuple[ClaimRef, ...]:
    """The claims of a request to prepare them, or to revert that. Raises InvalidInput."""
    return tuple(
        _claim(value)
        for number, value in protobuf.fields(message)
        if number == 1 and isinstance(value, bytes)
    )


def prepared(answers: Mapping[str, tuple[PreparedDevice, ...] | str]) -> bytes:
    """NodePrepareResourcesResponse: by UID of the claim its devices, or why it has none."""
    return b"".join(
        protobuf.entry(
            1,
            uid,
            protobuf.field(2, answer)
            if isinstance(answer, str)
            else b"".join(protobuf.field(1, _device(device)) for device in answer),
        )
        for uid, answer in answers.items()
    )


def unprepared(answers: Mapping[str, str]) -> bytes:
    """NodeUnprepareResourcesResponse: by UID of the claim why it failed, or nothing."""
    return b"".join(
        protobuf.entry(1, uid, protobuf.field(1, words) if words else b"")
        for uid, words in answers.items()
    )


def _claim(message: bytes) -> ClaimRef:
    found = dict(protobuf.texts(message))
    claim = ClaimRef(namespace=found.get(1, ""), uid=found.get(2, ""), name=found.get(3, ""))
    if not (claim.namespace and claim.uid and claim.name):
        raise InvalidInput(("a claim without namespace, UID or name",))
    return claim


def _device(device: PreparedDevice) -> bytes:
    return b"".join(
        (
            *(protobuf.field(1, request) for request in device.requests),
            protobuf.field(2, device.pool),
            protobuf.field(3, device.name),
            *(protobuf.field(4, name) for name in device.cdi),
        )
    )
