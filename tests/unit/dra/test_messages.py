"""kubelet's messages, against octets put together by hand from api.proto."""

import pytest

from xdpredirect.dra.messages import (
    ClaimRef,
    PreparedDevice,
    plugin_info,
    prepared,
    read_claims,
    read_registration,
    unprepared,
)
from xdpredirect.errors import InvalidInput


def test_a_driver_says_who_it_is() -> None:
    assert plugin_info("a.io", "/s") == (
        b"\x0a\x09DRAPlugin\x12\x04a.io\x1a\x02/s\x22\x0cv1.DRAPlugin"
    )


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x08\x01", ""),
        (b"", "it does not say why"),
        (b"\x12\x05taken", "taken"),
        (b"\x08\x00\x12\x05taken", "taken"),
    ],
)
def test_kubelet_says_whether_it_takes_it(message: bytes, words: str) -> None:
    assert read_registration(message) == words


def test_claims_are_read_in_their_order() -> None:
    message = b"\x0a\x0b\x0a\x02ns\x12\x01u\x1a\x02na\x0a\x09\x0a\x01m\x12\x01v\x1a\x01b"
    assert read_claims(message) == (ClaimRef("ns", "na", "u"), ClaimRef("m", "b", "v"))


@pytest.mark.parametrize("claim", [b"", b"\x0a\x02ns\x12\x01u", b"\x0a\x02ns\x1a\x01n"])
def test_a_claim_that_names_none_is_refused(claim: bytes) -> None:
    with pytest.raises(InvalidInput, match="without namespace, UID or name"):
        read_claims(b"\x0a" + bytes([len(claim)]) + claim)


def test_each_claim_has_its_devices_or_its_refusal() -> None:
    device = PreparedDevice(requests=("r", "s"), pool="p", name="d", cdi=("k=1",))
    inner = b"\x0a\x01r\x0a\x01s\x12\x01p\x1a\x01d\x22\x03k=1"
    answer = prepared({"u": (device,), "v": "no"})
    body = b"\x0a" + bytes([len(inner)]) + inner
    first = b"\x0a\x01u\x12" + bytes([len(body)]) + body
    assert answer == (
        b"\x0a" + bytes([len(first)]) + first + b"\x0a\x09" + b"\x0a\x01v\x12\x04\x12\x02no"
    )


def test_a_claim_that_is_unprepared_has_an_entry_of_its_own() -> None:
    assert unprepared({"u": "", "v": "no"}) == (
        b"\x0a\x05\x0a\x01u\x12\x00\x0a\x09\x0a\x01v\x12\x04\x0a\x02no"
    )
