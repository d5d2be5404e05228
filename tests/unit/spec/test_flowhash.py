"""The spread hash: defined numbers, symmetry, evenness, and what each tunnel is hashed by."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.sctp import SCTP
from scapy.packet import Packet as Layers

from tests.spec.flowhash import GTP_SALT, SLOTS, mix, slot, spread_hash
from tests.spec.frames import ethernet, fragment, ip4, ip6, patched, vlan
from tests.spec.tunnels import OF_ETHERNET, TUNNELS, gre_flagged, gtp, mpls
from tests.spec.vectors import HASHED, Vector, address4, address6, frames, read
from xdpredirect.api.action import SpreadBy

FLOWS = 20_000
# 255 degrees of freedom: a fair hash passes 360 about once in 50,000 tries; the seed is fixed.
CHI_SQUARE_BOUND = 360


def flow(frame: bytes) -> int:
    return spread_hash(frame, SpreadBy.FLOW)


def inner(frame: bytes, linear: int | None = None) -> int:
    return spread_hash(frame, SpreadBy.INNER_FLOW, linear)


@pytest.mark.parametrize("vector", read(), ids=lambda v: f"{v.description} {v.spread_by}")
def test_golden_vectors(vector: Vector) -> None:
    assert slot(bytes.fromhex(vector.frame), vector.spread_by, vector.linear) == vector.slot


def test_the_file_holds_every_frame_that_it_is_about() -> None:
    wanted = [(what, kind, frame.hex(), linear) for what, kind, frame, linear in frames()]
    assert [(v.description, v.spread_by, v.frame, v.linear) for v in read()] == wanted
    assert len(wanted) >= 200


def test_mix_is_a_bijection_that_keeps_zero() -> None:
    assert mix(0) == 0
    assert len({mix(1 << bit) for bit in range(64)} | {mix(i) for i in range(1000)}) == 1054


def test_mix_moves_about_half_of_the_bits() -> None:
    rng = Random(1)
    for bit in range(64):
        moved = [
            (mix(x) ^ mix(x ^ 1 << bit)).bit_count()
            for x in (rng.getrandbits(64) for _ in range(200))
        ]
        assert 27 < sum(moved) / len(moved) < 37, bit


@pytest.mark.parametrize("layer", [TCP, UDP, SCTP])
@pytest.mark.parametrize(("ip", "address"), [(ip4, address4), (ip6, address6)])
def test_both_directions_take_one_slot(
    layer: Callable[..., Layers], ip: Callable[..., Layers], address: Callable[[Random], str]
) -> None:
    rng = Random(2)
    for _ in range(50):
        (a, b), (p, q) = (address(rng), address(rng)), (rng.randrange(65536), rng.randrange(65536))
        there = ethernet(ip(a, b) / layer(sport=p, dport=q))
        back = ethernet(ip(b, a) / layer(sport=q, dport=p))
        assert flow(there) == flow(back)
        assert spread_hash(there, SpreadBy.SOURCE_IP) == spread_hash(back, SpreadBy.DESTINATION_IP)


def test_both_directions_without_ip_take_one_slot() -> None:
    a, b = "02:00:00:00:00:11", "02:00:00:00:00:22"
    assert flow(ethernet(bytes(46), 0x1234, (), a, b)) == flow(
        ethernet(bytes(46), 0x1234, (), b, a)
    )


def _clients(rng: Random, v6: bool) -> bytes:
    """Clients of one network that ask one server: what differs is few bits."""
    host, port = rng.randrange(65536), rng.randrange(32768, 61000)
    if v6:
        header = bytes.fromhex(
            "60000000000811402001 0db8 0001 0000 0000 0000 0000".replace(" ", "")
        )
        head = header + host.to_bytes(2, "big") + bytes.fromhex("20010db8000200000000000000000020")
        return ethernet(head + port.to_bytes(2, "big") + b"\x01\xbb\0\x08\0\0", 0x86DD)
    head = (
        bytes.fromhex("4500001c00000000401100000a00")
        + host.to_bytes(2, "big")
        + b"\xc6\x33\x64\x14"
    )
    return ethernet(head + port.to_bytes(2, "big") + b"\x01\xbb\0\x08\0\0", 0x0800)


# DestinationIP is the hash of SourceIP, and these flows have one destination.
@pytest.mark.parametrize("spread_by", [SpreadBy.FLOW, SpreadBy.INNER_FLOW, SpreadBy.SOURCE_IP])
@pytest.mark.parametrize("v6", [False, True])
def test_flows_fill_the_slots_evenly(spread_by: SpreadBy, v6: bool) -> None:
    rng = Random(3)
    frames_of_clients = {_clients(rng, v6) for _ in range(FLOWS)}
    by_key = {spread_hash(f, spread_by): slot(f, spread_by) for f in frames_of_clients}
    assert len(by_key) > FLOWS * 0.8
    counts, expected = Counter(by_key.values()), len(by_key) / SLOTS
    chi_square = sum((counts[s] - expected) ** 2 / expected for s in range(SLOTS))
    assert chi_square < CHI_SQUARE_BOUND


def test_fragments_of_a_packet_stay_together() -> None:
    udp = UDP(sport=1, dport=2)
    first, later = ethernet(ip4(flags="MF") / udp), ethernet(ip4(frag=9, proto=17) / bytes(32))
    assert flow(first) == flow(later) != flow(ethernet(ip4() / udp))
    first6 = ethernet(ip6(nh=44) / fragment(17, more=True) / udp)
    later6 = ethernet(ip6(nh=44) / fragment(17, 9) / bytes(32))
    assert flow(first6) == flow(later6) != flow(ethernet(ip6() / udp))
    assert flow(ethernet(ip6(nh=44) / fragment(17) / udp)) == flow(ethernet(ip6() / udp))


def test_what_does_not_belong_to_a_flow_does_not_move_it() -> None:
    plain = ethernet(ip4() / UDP(sport=1, dport=2))
    assert flow(plain) == flow(ethernet(ip4(tos=9, ttl=3, id=7) / UDP(sport=1, dport=2) / b"data"))
    assert flow(plain) == flow(ethernet(ip4() / UDP(sport=1, dport=2), tags=[vlan(8)]))
    assert flow(plain) != flow(ethernet(ip4() / TCP(sport=1, dport=2)))
    assert flow(plain) != flow(ethernet(ip4() / UDP(sport=1, dport=3)))


def test_esp_is_told_apart_by_spi() -> None:
    one, two = (ethernet(ip4(proto=50) / spi / bytes(8)) for spi in (b"\0\0\x10\0", b"\0\0\x10\1"))
    assert flow(one) != flow(two)
    assert flow(one) == flow(patched(one, 38, b"\0\0\0\x63"))  # the sequence number


def test_addresses_alone() -> None:
    frame = ethernet(ip4("0.0.0.1", "0.0.0.2") / ICMP())
    assert spread_hash(frame, SpreadBy.SOURCE_IP) == mix(1)
    assert spread_hash(frame, SpreadBy.DESTINATION_IP) == mix(2)
    frame6 = ethernet(ip6("1::2", "3::4") / UDP())
    assert spread_hash(frame6, SpreadBy.SOURCE_IP) == mix(1 << 48 ^ mix(2))
    assert spread_hash(frame6, SpreadBy.DESTINATION_IP) == mix(3 << 48 ^ mix(4))


def test_the_definition_by_hand() -> None:
    udp = ethernet(ip4("0.0.0.5", "0.0.0.3") / UDP(sport=0x0102, dport=0x0304))
    assert flow(udp) == mix((8 << 32 | 6) ^ mix((0x0406 << 16 | 0x0206) << 8 | 17))
    udp6 = ethernet(ip6("0:0:0:5::9", "0:0:0:3::1") / UDP(sport=65535, dport=2))
    key = mix(8 ^ mix(6)) ^ mix(10 ^ mix(9))
    assert flow(udp6) == mix(key ^ mix((0x0001 << 16 | 0xFFFD) << 8 | 17))
    high = ethernet(ip4("255.255.255.255", "0.0.0.2") / ICMP())
    assert flow(high) == mix((1 << 32 | 0xFFFFFFFD) ^ mix(1))
    other = ethernet(bytes(46), 0x1234, (), "00:00:00:00:00:05", "00:00:00:00:00:03")
    assert flow(other) == mix((8 ^ 6 << 16) ^ mix(0x1234))


def test_a_cut_ethernet_header_takes_slot_0() -> None:
    frame = ethernet(ip4() / UDP(), tags=[vlan(1)])
    assert {spread_hash(frame, kind, cut) for kind in HASHED for cut in (0, 13, 15, 17)} == {0}


def test_kinds_that_read_no_frame_are_refused() -> None:
    for spread_by in (SpreadBy.RX_QUEUE, SpreadBy.ROUND_ROBIN):
        with pytest.raises(ValueError, match="hashes no frame"):
            slot(ethernet(ip4() / UDP()), spread_by)


@pytest.mark.parametrize("name", TUNNELS)
@pytest.mark.parametrize("ip", [ip4, ip6])
def test_a_tunnel_is_hashed_as_what_it_carries(name: str, ip: Callable[..., Layers]) -> None:
    packet = ip() / TCP(sport=1234, dport=80)
    frame = TUNNELS[name](packet)
    assert inner(frame) == flow(ethernet(packet)) != flow(frame)


@pytest.mark.parametrize("name", TUNNELS)
@pytest.mark.parametrize("ip", [ip4, ip6])
def test_a_cut_inner_header_leaves_what_is_below_it(name: str, ip: Callable[..., Layers]) -> None:
    frame = TUNNELS[name](ip() / TCP(sport=1234, dport=80))
    linear = len(frame) - 21
    if name in OF_ETHERNET:
        ether_type = 0x0800 if ip is ip4 else 0x86DD
        macs = ("0a:00:00:00:00:01", "0a:00:00:00:00:02")
        assert inner(frame, linear) == flow(ethernet(b"", ether_type, (), *macs))
    else:
        assert inner(frame, linear) == flow(frame)


@pytest.mark.parametrize("ip", [ip4, ip6])
def test_without_a_tunnel_inner_flow_is_flow(ip: Callable[..., Layers]) -> None:
    frame = ethernet(ip() / UDP(sport=4789, dport=53))
    assert inner(frame) == flow(frame)


def test_gtp_is_hashed_by_teid() -> None:
    packet = ip4() / UDP(sport=1, dport=2)
    assert (
        inner(gtp(7, packet)) == inner(gtp(7, ip6() / TCP(), message=1)) == mix(7 ^ mix(GTP_SALT))
    )
    assert inner(gtp(7, packet)) != inner(gtp(8, packet))
    cut = gtp(7, packet)[:49]
    assert inner(cut) == flow(cut)


def test_a_fragment_of_a_tunnel_is_hashed_by_its_outer_header() -> None:
    for name in ("VXLAN", "GRE", "Geneve"):
        frame = patched(TUNNELS[name](ip4() / UDP()), 20, b"\x20\x00")
        assert inner(frame) == flow(frame), name


def test_tunnels_that_cannot_be_opened_are_hashed_by_their_outer_header() -> None:
    packet = ip4() / UDP(sport=1, dport=2)
    unknown = {
        "five labels": mpls(5, packet),
        "a pseudo-wire": patched(mpls(1, packet), 18, b"\x00"),
        "GRE version 1": gre_flagged(0x0001, packet),
        "GRE with source routing": gre_flagged(0x4000, packet),
        "GRE of another protocol": patched(TUNNELS["GRE"](packet), 36, b"\x88\x0b"),
        "Geneve of another protocol": patched(TUNNELS["Geneve of IP"](packet), 44, b"\x88\x48"),
        "PPPoE control": patched(TUNNELS["PPPoE"](packet), 24, b"\xc0\x21"),
        "VXLAN without a valid VNI": patched(TUNNELS["VXLAN"](packet), 42, b"\x00"),
        "VXLAN, inner Ethernet cut": TUNNELS["VXLAN"](packet)[:63],
        "VXLAN, inner tag cut": TUNNELS["VXLAN, inner VLAN"](packet)[:67],
        "Geneve version 1": patched(TUNNELS["Geneve"](packet), 42, b"\x40"),
        "GTP version 2": patched(gtp(7, packet), 42, b"\x48"),
    }
    assert {what for what, frame in unknown.items() if inner(frame) != flow(frame)} == set()


def test_an_inner_frame_without_ip_is_hashed_by_its_macs() -> None:
    frame = patched(TUNNELS["VXLAN"](ip4() / UDP()), 62, b"\x08\x06")
    assert inner(frame) == flow(frame[50:]) != flow(frame)


def test_only_one_tunnel_is_opened() -> None:
    packet = ip4("10.0.0.1", "10.0.0.2") / UDP(sport=1, dport=2)
    inside = ip4("10.9.9.1", "10.9.9.2", proto=47) / (b"\0\0\x08\0" + bytes(packet))
    assert inner(TUNNELS["VXLAN"](inside)) == flow(ethernet(inside)) != flow(ethernet(packet))
