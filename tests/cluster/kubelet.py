"""What kubelet does for a pod with a claim, as far as a driver sees it. Called by test_claims.

It shares no message with the driver: the octets are put together here.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.unit.dra.grpc_client import Connected

SERVICE = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"


class Kubelet:
    """At the socket of one driver."""

    def __init__(self, endpoint: Path) -> None:
        self._driver = Connected(endpoint)

    def register(self) -> list[str]:
        """Type, name, endpoint and services of the driver, which is then told that it is taken."""
        info = self._ask("/pluginregistration.Registration/GetInfo", b"")
        self._ask("/pluginregistration.Registration/NotifyRegistrationStatus", b"\x08\x01")
        return [value.decode() for _, value in parts(info)]

    def prepare(self, namespace: str, name: str, uid: str) -> tuple[list[str], str]:
        """Names of CDI devices, or why there are none."""
        claim = part(1, namespace) + part(2, uid) + part(3, name)
        ((_, answered),) = parts(self._ask(f"{SERVICE}/NodePrepareResources", part(1, claim)))
        (_, key), (_, answer) = parts(answered)
        assert key.decode() == uid
        devices = [dict(parts(value)) for number, value in parts(answer) if number == 1]
        errors = [value.decode() for number, value in parts(answer) if number == 2]
        return [device[4].decode() for device in devices], "".join(errors)

    def unprepare(self, namespace: str, name: str, uid: str) -> None:
        """AssertionError when the driver has an objection."""
        claim = part(1, namespace) + part(2, uid) + part(3, name)
        answer = self._ask(f"{SERVICE}/NodeUnprepareResources", part(1, claim))
        assert answer == part(1, part(1, uid) + part(2, b""))

    def close(self) -> None:
        self._driver.close()

    def _ask(self, method: str, message: bytes) -> bytes:
        reply = self._driver.ask(method, message)
        assert reply.status == 0, reply
        return reply.message


def part(number: int, value: bytes | str) -> bytes:
    """A field with a length, all of which are short here."""
    octets = value.encode() if isinstance(value, str) else value
    size = len(octets)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + octets


def parts(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of each."""
    while message:
        size, at = message[1], 2
        if size > 127:
            size, at = (size & 127) + (message[2] << 7), 3
        yield message[0] >> 3, message[at : at + size]
        message = message[at + size :]
