"""docs/protocol.md says what the code does: records, limits, reasons."""

import re
from pathlib import Path

import pytest

from xdpredirect.xsk import connections, messages, protocol
from xdpredirect.xsk.messages import Bound, Refused, Told, read_reply, record
from xdpredirect.xsk.protocol import Ask, Received, Send, Talk, receive, settle

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "protocol.md").read_text()
REASON = re.compile(r'(?:Refusal|Refused|_end|SocketRefused)\(\s*(?:\w+, )?"([A-Z]\w+)"')
KERNEL = re.compile(r'(?:: |, )\("([A-Z]\w+)", "')
# The client says these of itself, in words of its own.
OF_THE_CLIENT = {"Withdrawn", "ReceiveOnly", "WrongProcessor"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two lines."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_conversation_goes_as_written() -> None:
    (block,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    talk = Talk()
    sent: list[protocol.Effect] = []
    for line in block.splitlines():
        who, words = line.split(maxsplit=1)
        if who == "client":
            step = receive(talk, Received(words.encode()))
            talk = step.talk
            sent = [e for e in step.effects if not isinstance(e, protocol.Log)]
            continue
        if isinstance(sent[0], Ask):
            outcome = read_reply(words.encode())
            assert isinstance(outcome, Bound | Told | Refused)
            step = settle(talk, sent[0].question, outcome)
            talk, sent = step.talk, list(step.effects)
        assert sent == [Send(words.encode())]
    assert (talk.messages, talk.refusals, talk.held) == (4, 1, frozenset())


@pytest.mark.parametrize("row", rows("Records"), ids=lambda row: row[0])
def test_every_record_is_one(row: list[str]) -> None:
    values = {"INTERFACE": "eth0", "IFINDEX": "4", "QUEUE": "3", "FRAMES": "64", "OCTETS": "2048"}
    values |= {"NAME": "ids", "COPY": "zerocopy", "ACCESS": "transmit", "BUDGET": "64"}

    def filled(text: str) -> bytes:
        return " ".join(values.get(w, w) for w in text.strip("`").split()).encode()

    request, reply = messages.read_request(filled(row[0])), read_reply(filled(row[2]))
    assert request is not None
    assert reply is not None
    assert record(request) == filled(row[0])
    assert record(reply) == filled(row[2])


def test_every_reason_is_there_and_no_other() -> None:
    code = "\n".join(p.read_text() for p in (ROOT / "operator/xdpredirect/xsk").glob("*.py"))
    used = {*REASON.findall(code), *KERNEL.findall(code)} - OF_THE_CLIENT
    told = {name for row in rows("Reasons") for name in re.findall(r"`([A-Z]\w+)`", row[0])}
    assert len(used) > 25
    assert used == told


def test_every_limit_is_as_written() -> None:
    limits = {row[0]: [float(n) for n in re.findall(r"\d+", row[1])] for row in rows(
        "Deadlines and limits"
    )}  # fmt: skip
    assert list(limits.values()) == [
        [protocol.HELLO_SECONDS],
        [protocol.IDLE_SECONDS],
        [protocol.PATIENCE_SECONDS],
        [messages.REQUEST_OCTETS, messages.REPLY_OCTETS],
        [1],
        [protocol.MOST_MESSAGES, protocol.MOST_REFUSALS],
        [protocol.MOST_QUEUES],
        [connections.MOST_OF_PEER, connections.MOST_CONNECTIONS],
    ]
    assert f"is at most {messages.MOST_OCTETS}" in TEXT
    assert f"| `BUDGET` | 1 to {messages.MOST_BUDGET} |" in TEXT
    assert f"from {messages.LEAST_FRAMES} to {messages.MOST_FRAMES}" in TEXT
