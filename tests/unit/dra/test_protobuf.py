"""The wire format, against octets worked out by hand from its specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.dra import protobuf
from xdpredirect.errors import InvalidInput


def test_a_text_a_message_and_a_number_with_several_octets() -> None:
    assert protobuf.field(1, "abc") == bytes.fromhex("0a03616263")
    assert protobuf.field(16, b"") == bytes.fromhex("820100")
    assert protobuf.field(2, "x" * 300)[:3] == bytes.fromhex("12ac02")
    assert protobuf.entry(1, "k", b"\x0a\x00") == bytes.fromhex("0a070a016b12020a00")


def test_fields_of_every_size_are_read_or_skipped() -> None:
    message = bytes.fromhex("08ac02 120141 1d01020304 210102030405060708 2800".replace(" ", ""))
    assert [*protobuf.fields(message)] == [(1, 300), (2, b"A"), (5, 0)]
    assert [*protobuf.texts(message)] == [(2, "A")]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0a05616263", "longer than the message"),
        ("0a", "without an end"),
        ("ffffffffffffffffffffff01", "without an end"),
        ("1d0102", "longer than the message"),
        ("0b", "unknown wire type 3"),
    ],
)
def test_what_is_cut_or_unknown_is_refused(message: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        [*protobuf.fields(bytes.fromhex(message))]


def test_a_text_is_utf_8() -> None:
    with pytest.raises(InvalidInput, match="field 1 is no UTF-8"):
        [*protobuf.texts(bytes.fromhex("0a01ff"))]


@given(st.lists(st.tuples(st.integers(1, 1 << 28), st.binary(max_size=300)), max_size=8))
def test_what_was_written_is_read(wanted: list[tuple[int, bytes]]) -> None:
    message = b"".join(protobuf.field(number, value) for number, value in wanted)
    assert [*protobuf.fields(message)] == wanted


@given(st.binary(max_size=64))
def test_garbage_is_read_or_refused(message: bytes) -> None:
    try:
        read = [*protobuf.fields(message)]
    except InvalidInput:
        return
    assert len(read) <= len(message)
