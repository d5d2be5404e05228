"""gRPC over HTTP/2: whole calls, cut in any place, and what is not one."""

import struct

import pytest
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dra.grpc_client import Client, Reply
from xdpredirect.dra.http2 import INVALID, UNIMPLEMENTED, Call, Conversation

PING = "/a.B/Ping"


def exchange(client: Client, server: Conversation, cut: int = 1 << 30) -> list[Call]:
    """Until both are silent, in pieces of `cut` octets; calls are answered by their message."""
    calls: list[Call] = []
    client.receive(server.take())
    while octets := client.http.data_to_send():
        for at in range(0, len(octets), cut):
            for call in server.receive(octets[at : at + cut]):
                calls.append(call)
                server.answer(call.stream, call.message)
        client.receive(server.take())
    return calls


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def server() -> Conversation:
    return Conversation()


@pytest.mark.parametrize("cut", [1, 7, 1 << 30])
def test_calls_in_pieces_are_the_same_calls(client: Client, server: Conversation, cut: int) -> None:
    streams = [client.call(PING, f"message {n}".encode()) for n in range(3)]
    calls = exchange(client, server, cut)
    assert [(call.method, call.message) for call in calls] == [
        (PING, f"message {n}".encode()) for n in range(3)
    ]
    for number, stream in enumerate(streams):
        message = f"message {number}".encode()
        body = struct.pack("!BI", 0, len(message)) + message
        assert client.replies[stream] == Reply(body, 0, "", True)


def test_an_answer_waits_for_room(client: Client, server: Conversation) -> None:
    client.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
    stream = client.call(PING, b"x" * 1000)
    exchange(client, server)
    assert client.replies[stream].message[5:] == b"x" * 1000
    assert client.replies[stream].status == 0


def test_a_refusal_has_its_words(client: Client, server: Conversation) -> None:
    stream = client.call(PING, b"")
    client.receive(server.take())
    (call,) = server.receive(client.http.data_to_send())
    server.refuse(call.stream, INVALID, "100% 'ünï'\n")
    client.receive(server.take())
    assert client.replies[stream] == Reply(b"", INVALID, "100% 'ünï'\n", True)


@pytest.mark.parametrize(
    "body", [b"", b"\0\0", b"\1\0\0\0\0", b"\0\0\0\0\2x", b"\0\0\0\0\1xyz"], ids=repr
)
def test_what_is_no_single_message_is_refused(
    client: Client, server: Conversation, body: bytes
) -> None:
    stream = client.raw_call(PING, body)
    assert exchange(client, server) == []
    assert client.replies[stream].status == UNIMPLEMENTED


def test_who_gave_up_gets_no_answer(client: Client, server: Conversation) -> None:
    stream = client.call(PING, b"x")
    (call,) = server.receive(client.http.data_to_send())
    client.http.reset_stream(stream)
    server.receive(client.http.data_to_send())
    server.take()
    server.answer(call.stream, b"late")
    server.refuse(call.stream, INVALID, "late")
    assert server.take() == b""


def test_who_has_left_gets_no_answer(client: Client, server: Conversation) -> None:
    client.call(PING, b"x")
    (call,) = server.receive(client.http.data_to_send())
    client.http.close_connection()
    server.receive(client.http.data_to_send())
    server.take()
    server.answer(call.stream, b"late")
    server.refuse(call.stream, INVALID, "late")
    assert server.take() == b""
    assert server.over


def test_what_is_not_http_2_ends_the_conversation(server: Conversation) -> None:
    assert server.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 4) == ()
    assert server.over


@given(st.binary(min_size=1, max_size=200))
def test_garbage_behind_the_preface_ends_or_waits(garbage: bytes) -> None:
    client, server = Client(), Conversation()
    server.receive(client.http.data_to_send())
    for call in server.receive(garbage):
        server.answer(call.stream, b"")
    server.take()
