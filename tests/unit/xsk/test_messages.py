"""Records: what is one, to the octet, and what is none."""

import pytest

from xdpredirect.xsk.messages import (
    Bound,
    Bring,
    Hello,
    Refused,
    Release,
    Reply,
    Request,
    Return,
    Take,
    Told,
    read_reply,
    read_request,
    record,
    size_problem,
)

REQUESTS: dict[bytes, Request] = {
    b"hello 1 testpmd-0.a_b": Hello(1, "testpmd-0.a_b"),
    b"take eth0 0 2048 2048": Take("eth0", 0, 2048, 2048),
    b"take enp1s0f0.4094@x 4095 64 4096": Take("enp1s0f0.4094@x", 4095, 64, 4096),
    b"take eth0 0 64 2048 multi-buffer": Take("eth0", 0, 64, 2048, multi_buffer=True),
    b"take eth0 0 64 2048 busy-poll 64": Take("eth0", 0, 64, 2048, busy_poll=64),
    b"take eth0 0 64 2048 multi-buffer busy-poll 0": Take("eth0", 0, 64, 2048, True, 0),
    b"return eth0 17": Return("eth0", 17),
    b"bring eth0 17": Bring("eth0", 17),
    b"release eth0 17": Release("eth0", 17),
}

REPLIES: dict[bytes, Reply] = {
    b"hello 1": Hello(1, ""),
    b"bound eth0 4 17 2048 2048 copy receive": Bound("eth0", 4, 17, 2048, 2048, False, False),
    b"bound eth0 4 0 64 4096 zerocopy transmit": Bound("eth0", 4, 0, 64, 4096, True, True),
    b"bound eth0 4 0 64 2048 copy receive multi-buffer": Bound(
        "eth0", 4, 0, 64, 2048, False, False, multi_buffer=True
    ),
    b"bound eth0 4 0 64 2048 copy receive busy-poll 8": Bound(
        "eth0", 4, 0, 64, 2048, False, False, busy_poll=8
    ),
    b"kept eth0 1": Told("kept", "eth0", 1),
    b"brought eth0 1": Told("brought", "eth0", 1),
    b"released eth0 1": Told("released", "eth0", 1),
    b"withdrawn eth0 1": Told("withdrawn", "eth0", 1),
    b"refused NotGranted user 7 has no grant for eth0": Refused(
        "NotGranted", "user 7 has no grant for eth0"
    ),
}

NO_REQUESTS = (
    b"",
    b"hello",
    b"hello 1",
    b"hello 1 ",
    b"hello 01 a",
    b"hello -1 a",
    b"hello 1 a b",
    b"hello 1 a\n",
    b"hello 1 a\0",
    b"hello 1 " + b"a" * 64,
    b"Hello 1 a",
    b" hello 1 a",
    b"take eth0",
    b"take eth0 0",
    b"take eth0 0 2048",
    b"take eth0 0 2048 2048 ",
    b"take eth0 0 2048 2048 2048",
    b"take eth0 0 2048 2048 multi-buffer ",
    b"take eth0 0 2048 2048  multi-buffer",
    b"take eth0 0 2048 2048 multibuffer",
    b"take eth0 0 2048 2048 multi-buffer multi-buffer",
    b"take eth0 0 multi-buffer",
    b"take eth0 0 2048 2048 busy-poll",
    b"take eth0 0 2048 2048 busy-poll 064",
    b"take eth0 0 2048 2048 busy-poll 20 64",
    b"take eth0 0 2048 2048 busy-poll 8 multi-buffer",
    b"take  eth0 0 2048 2048",
    b"take\teth0\t0\t2048\t2048",
    b"take eth0 00 2048 2048",
    b"take eth0 +1 2048 2048",
    b"take eth0 1e1 2048 2048",
    b"take eth0 \xd9\xa1 2048 2048",
    b"take eth0 10000 2048 2048",
    b"take eth0 0 99999999999 2048",
    b"take 0123456789abcdef 0 2048 2048",
    b"take ../etc 0 2048 2048",
    b"take eth0\0 0 2048 2048",
    b"take eth\xe4 0 2048 2048",
    b"take eth0 0 2048 2048\n",
    b"take eth0 0 2048 2048;release eth0 0",
    b"return eth0",
    b"bring eth0",
    b"bring eth0 1 net1",
    b"brought eth0 1",
    b"released eth0 0",
    b"bound eth0 4 17 2048 2048 copy receive",
    b"take eth0 0 2048 2048" + b" " * 200,
)


@pytest.mark.parametrize("data", REQUESTS)
def test_a_request_is_read_and_written(data: bytes) -> None:
    assert read_request(data) == REQUESTS[data]
    assert record(REQUESTS[data]) == data


@pytest.mark.parametrize("data", REPLIES)
def test_a_reply_is_read_and_written(data: bytes) -> None:
    assert read_reply(data) == REPLIES[data]
    assert record(REPLIES[data]) == data


@pytest.mark.parametrize("data", NO_REQUESTS)
def test_anything_else_is_none(data: bytes) -> None:
    assert read_request(data) is None


def test_whatever_a_sentence_quotes_it_stays_a_record() -> None:
    data = record(Refused("Failed", "déjà\nvu\0\x7f " + "x" * 1000))
    assert len(data) == 512
    assert read_reply(data) == Refused("Failed", data.decode().removeprefix("refused Failed "))


@pytest.mark.parametrize(
    ("frames", "octets", "fine"),
    [
        (64, 2048, True),
        (4096, 2048, True),
        (2048, 4096, True),
        (4096, 4096, False),
        (32, 2048, False),
        (8192, 2048, False),
        (100, 2048, False),
        (0, 2048, False),
        (64, 1024, False),
        (64, 0, False),
    ],
)
def test_sizes(frames: int, octets: int, fine: bool) -> None:
    assert (size_problem(frames, octets) == "") is fine
