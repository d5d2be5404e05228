"""The laboratory keeps its promises: exact counts, tags, isolation, and it sees what is left."""

import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, LabError, Port, enter, netns

BROADCAST = b"\xff" * 6
# An EtherType for local experiments (IEEE 802): no stack answers it.
EXPERIMENT = b"\x88\xb5"


def numbered(source: Port, n: int) -> bytes:
    """A 64-octet frame that carries its number."""
    return BROADCAST + source.mac + EXPERIMENT + n.to_bytes(4, "big") + bytes(46)


@pytest.fixture
def wire(lab: Lab) -> tuple[Port, Port]:
    return lab.veth(("dut", "p1"), ("a", "eth0"))


def test_hosts_reach_each_other(lab: Lab, wire: tuple[Port, Port]) -> None:
    dut, a = lab.host("dut"), lab.host("a")
    dut.address("p1", "192.0.2.1/24")
    a.address("eth0", "192.0.2.2/24")
    assert "3 received" in a.run(["ping", "-c", "3", "-i", "0.2", "-w", "30", "192.0.2.1"]).stdout


def test_hosts_with_ipv6_reach_each_other_at_once(lab: Lab) -> None:
    dut, a = lab.host("dut", ipv6=True), lab.host("a", ipv6=True)
    lab.veth(("dut", "p1"), ("a", "eth0"))
    dut.address("p1", "2001:db8::1/64")
    a.address("eth0", "2001:db8::2/64")
    assert "1 received" in a.run(["ping", "-c", "1", "-W", "20", "2001:db8::1"]).stdout


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("n", [1000, 50_000])
def test_every_frame_arrives_in_order(wire: tuple[Port, Port], forward: bool, n: int) -> None:
    source, sink = wire if forward else wire[::-1]
    with sink.counter() as arrived:
        assert source.send(numbered(source, i) for i in range(n)) == n
        frames = arrived.exactly(n)
    assert frames == [numbered(source, i) for i in range(n)]
    assert arrived.others == []


def test_nothing_arrives_that_was_not_sent(wire: tuple[Port, Port]) -> None:
    with wire[0].counter() as near, wire[1].counter() as far:
        time.sleep(1.0)
        assert near.exactly(0) == far.exactly(0) == []


def test_counter_tells_matching_frames_from_others(wire: tuple[Port, Port]) -> None:
    sink, source = wire
    with sink.counter(lambda frame: frame[17] % 2 == 1) as odd:
        source.send(numbered(source, i) for i in range(10))
        odd.exactly(5)
    assert len(odd.others) == 5


def test_counter_ignores_what_its_own_interface_sends(wire: tuple[Port, Port]) -> None:
    with wire[0].counter() as own, wire[1].counter() as arrived:
        wire[0].send([numbered(wire[0], 0)])
        arrived.exactly(1)
        own.exactly(0)


@pytest.mark.parametrize(
    "tags",
    [
        struct.pack("!HH", 0x8100, 0x6064),
        struct.pack("!HH", 0x88A8, 100),
        struct.pack("!HHHH", 0x88A8, 100, 0x8100, 200),
    ],
    ids=["802.1Q with priority", "802.1ad", "QinQ"],
)
def test_tags_are_reported_as_on_the_wire(wire: tuple[Port, Port], tags: bytes) -> None:
    sink, source = wire
    frame = BROADCAST + source.mac + tags + EXPERIMENT + bytes(46)
    with sink.counter() as arrived:
        source.send([frame])
        assert arrived.exactly(1) == [frame]


def test_jumbo_frames(lab: Lab) -> None:
    sink, source = lab.veth(("dut", "p1"), ("a", "eth0"), mtu=9000)
    frame = BROADCAST + source.mac + EXPERIMENT + bytes(range(250)) * 36
    with sink.counter() as arrived:
        source.send([frame])
        assert arrived.exactly(1) == [frame]


def test_queues(lab: Lab) -> None:
    port, _ = lab.veth(("dut", "p1"), ("a", "eth0"), queues=4)
    details = port.host.ip("-d", "link", "show", "dev", "p1")
    assert "numtxqueues 4" in details
    assert "numrxqueues 4" in details


def test_far_end_receives_redirected_frames_only_when_tuned(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"))
    lab.veth(("dut", "p2"), ("b", "eth0"), tuned=False)
    assert "generic-receive-offload: on" in lab.host("a").ethtool("-k", "eth0")
    assert "generic-receive-offload: off" in lab.host("b").ethtool("-k", "eth0")


def test_sending_a_frame_beyond_the_mtu_says_which(wire: tuple[Port, Port]) -> None:
    short, long = numbered(wire[0], 0), bytes(2000)
    with pytest.raises(LabError, match=r"dut:p1: frame 1 of 2000 octets"):
        wire[0].send([short, long])


def test_frames_that_the_wire_drops_are_not_silent(lab: Lab, wire: tuple[Port, Port]) -> None:
    lab.host("a").ip("link", "set", "eth0", "down")
    with pytest.raises(LabError, match=r"p1"):
        wire[0].send([numbered(wire[0], 0)] * 10)


def test_stream_counts_what_it_sent(wire: tuple[Port, Port]) -> None:
    sink, source = wire
    began = time.monotonic()
    with sink.counter() as arrived:
        with source.stream(lambda n: numbered(source, n), rate=20_000) as stream:
            time.sleep(0.5)
        took = time.monotonic() - began
        arrived.exactly(stream.sent)
    assert 100 < stream.sent <= 20_000 * (took + 0.1)


def test_tap_is_the_wire_of_its_interface(lab: Lab) -> None:
    tap = lab.tap("dut", "tap0")
    frame = BROADCAST + b"\x02" + bytes(5) + EXPERIMENT + bytes(46)
    dut = lab.host("dut")
    port = Port(dut, "tap0", 0, b"")
    with port.counter() as arrived:
        tap.write(frame)
        assert arrived.exactly(1) == [frame]
    port.send([frame])
    assert tap.read() == frame


def test_enter_moves_only_the_calling_thread(lab: Lab) -> None:
    outside = socket.if_nameindex()
    seen: list[list[tuple[int, str]]] = []
    with lab.host("dut").enter():
        thread = threading.Thread(target=lambda: seen.append(socket.if_nameindex()))
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
    thread.start()
    thread.join()
    assert seen == [outside] == [socket.if_nameindex()]


def test_bpffs_of_a_host_is_its_own(lab: Lab) -> None:
    a, b = lab.host("a"), lab.host("b")
    (a.bpffs / "directory").mkdir()
    assert not (b.bpffs / "directory").exists()
    assert b.pins() == []
    shown = a.run(
        ["sh", "-c", 'echo "$XDPREDIRECT_BPFFS"; stat -f -c %t "${XDPREDIRECT_BPFFS%/*}"']
    )
    assert shown.stdout.split() == [str(a.bpffs / "xdpredirect"), "cafe4a11"]


def test_command_that_fails_raises_with_its_words(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"a: .*exit 3: because"):
        lab.host("a").run(["sh", "-c", "echo because >&2; exit 3"])


def test_background_command_ends_with_its_block(lab: Lab) -> None:
    with lab.host("a").running(["sh", "-c", "echo started; exec sleep 60"]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert netns.processes_in(lab.host("a").netns).keys() == {process.pid}
    assert process.returncode == -15


def test_process_left_in_a_host_is_killed_and_named() -> None:
    lab = Lab()
    host = lab.host("a")
    host.run(["sh", "-c", "exec >/dev/null 2>&1; sleep 61 &"])
    with pytest.raises(LabError, match=r"left running in a: (sh|sleep) "):
        lab.close()
    assert not host.path.exists()


def test_enter_of_nothing_is_an_error() -> None:
    with pytest.raises(FileNotFoundError), enter(Path("/run/netns/no-such-namespace")):
        pass
