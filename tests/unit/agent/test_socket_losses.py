"""What sockets have lost, out of their statistics: once, over restarts, only without a monitor."""

import tempfile
from dataclasses import replace
from pathlib import Path

from tests.unit.agent.test_ledger import HOST, NOW, meanings
from xdpredirect.agent.ledger import Ledger, Reading, fold
from xdpredirect.agent.ledger_file import read_ledger, write_ledger
from xdpredirect.agent.losses import Scene
from xdpredirect.agent.socket_losses import REMEMBERED, lost_since
from xdpredirect.xsk.grants import Peer
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.uapi import Statistics

SCENE = Scene(meanings(), HOST)


def holding(full: int = 0, empty: int = 0, dropped: int = 0, *, zero_copy: bool = False) -> Holding:
    return Holding(
        interface="in",
        queue=3,
        rules=(("o", "r"),),
        peer=Peer(12, 65534),
        zero_copy=zero_copy,
        statistics=Statistics(dropped, 0, 0, full, empty, 0),
    )


def folded(ledger: Ledger, monitor: str = "", **sockets: Holding) -> Ledger:
    reading = Reading(monitor=monitor, counts={}, counters={}, time=100.0, now=NOW, sockets=sockets)
    return fold(ledger, reading, SCENE)


def lost(ledger: Ledger) -> dict[tuple[object, ...], int]:
    return {tuple(cause[:6]): total.packets for cause, total in ledger.totals.items()}


def test_each_frame_counts_once_by_cause() -> None:
    ledger = folded(Ledger(), a=holding(full=5, empty=7, dropped=9))
    there = ("in", "socket 3")
    assert lost(ledger) == {
        ("o", "r", "SocketRingFull", "ENOBUFS", *there): 5,
        ("o", "r", "SocketFillRingEmpty", "ENOMEM", *there): 7,
        ("o", "r", "FrameTooBigForSocket", "ENOSPC", *there): 2,
    }
    assert folded(ledger, a=holding(full=5, empty=7, dropped=9)).totals == ledger.totals


def test_in_zero_copy_an_attempt_to_find_a_buffer_is_no_frame() -> None:
    ledger = folded(Ledger(), a=holding(full=5, empty=7, zero_copy=True))
    assert list(lost(ledger).values()) == [5]


def test_for_want_of_a_buffer_more_the_kernel_says_dropped_alone() -> None:
    several = replace(holding(full=5, empty=2, dropped=9), multi_buffer=True)
    there = ("in", "socket 3")
    assert lost(folded(Ledger(), a=several)) == {
        ("o", "r", "SocketRingFull", "ENOBUFS", *there): 5,
        ("o", "r", "SocketFillRingEmpty", "ENOMEM", *there): 9,
    }


def test_where_the_monitor_counts_they_only_are_remembered() -> None:
    ledger = folded(Ledger(), "boot:1", a=holding(full=5))
    assert not ledger.totals
    assert list(lost(folded(ledger, a=holding(full=6))).values()) == [1]


def test_of_a_device_that_is_away_the_monitor_counts_nothing() -> None:
    ledger = folded(Ledger(), "boot:1", a=replace(holding(full=5), away=True))
    assert list(lost(ledger).values()) == [5]


def test_totals_go_on_with_another_socket_and_another_agent() -> None:
    ledger = folded(Ledger(), a=holding(full=5))
    ledger = folded(ledger, a=holding(full=6), b=holding(full=1))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "losses.json")
        write_ledger(path, ledger)
        # Its first pass comes before the clients have brought their sockets back.
        ledger = folded(read_ledger(path))
    ledger = folded(ledger, b=holding(full=3))
    assert list(lost(ledger).values()) == [9]


def test_a_socket_of_several_rules_is_of_their_object() -> None:
    of_both = replace(holding(full=1), rules=(("o", "r"), ("o", "s")))
    of_two = replace(holding(full=1), rules=(("o", "r"), ("p", "s")))
    found = lost(folded(Ledger(), a=of_both, b=of_two))
    assert [key[:2] for key in found] == [("o", ""), ("", "")]


def test_those_that_were_seen_last_are_remembered() -> None:
    _, seen = lost_since({}, {str(n): holding(full=n) for n in range(REMEMBERED)})
    _, seen = lost_since(seen, {"0": holding(full=REMEMBERED), "new": holding()})
    assert len(seen) == REMEMBERED
    assert {"0", "new"} <= seen.keys()
    assert "1" not in seen


def test_a_file_of_an_agent_that_handed_out_none_keeps_its_totals() -> None:
    ledger = folded(Ledger(), a=holding(full=5))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "losses.json")
        write_ledger(path, ledger)
        text = path.read_text()
        before, _, after = text.partition('"sockets": {')
        path.write_text(before + after.partition("}, ")[2])
        assert read_ledger(path).totals == ledger.totals
