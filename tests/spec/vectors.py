"""Golden frames of the spread hash, kept in `flowhash_vectors.json`.

Run as `python -m tests.spec.vectors` to write the file anew after the hash was changed on purpose;
read by the unit and kernel tests. Changing it moves every flow of every user to another slot.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.layers.sctp import SCTP
from scapy.packet import Packet as Layers

from tests.spec.flowhash import slot
from tests.spec.frames import ethernet, extension, fragment, ip4, ip6, patched, service, vlan
from tests.spec.tunnels import TUNNELS, gre_flagged, gtp, mpls
from xdpredirect.api.action import SpreadBy

FILE = Path(__file__).with_name("flowhash_vectors.json")
HASHED = (SpreadBy.FLOW, SpreadBy.INNER_FLOW, SpreadBy.SOURCE_IP, SpreadBy.DESTINATION_IP)
_SEED = 20240607


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """`frame` is hexadecimal; `linear` octets can be read (None: all); `slot` is 0-255."""

    description: str
    spread_by: SpreadBy
    frame: str
    linear: int | None
    slot: int


def address4(rng: Random) -> str:
    """A random IPv4 address in dotted notation."""
    return ".".join(str(rng.randrange(256)) for _ in range(4))


def address6(rng: Random) -> str:
    """A random IPv6 address in colon notation."""
    return ":".join(f"{rng.randrange(0x10000):x}" for _ in range(8))


def random_ip(rng: Random) -> tuple[Layers, Layers]:
    """An IPv4 and an IPv6 header between random addresses."""
    return ip4(address4(rng), address4(rng)), ip6(address6(rng), address6(rng))


def random_transport(rng: Random, layer: Callable[..., Layers]) -> Layers:
    """TCP, UDP or SCTP between random ports."""
    return layer(sport=rng.randrange(65536), dport=rng.randrange(65536))


def _plain(rng: Random) -> Iterator[tuple[str, bytes, int | None]]:
    """Frames without a tunnel, of every shape that the hash treats in its own way."""
    for layer in (TCP, UDP, SCTP):
        for ip in random_ip(rng):
            yield f"{ip.name} {layer.__name__}", ethernet(ip / random_transport(rng, layer)), None
    v4, v6 = random_ip(rng)
    udp = random_transport(rng, UDP)
    yield "IP UDP, ports of a whole buffer", ethernet(v4 / udp), 42
    yield "IP UDP, header cut", ethernet(v4 / udp), 41
    yield "IP header cut", ethernet(v4 / udp), 33
    yield "IPv6 header cut", ethernet(v6 / udp), 53
    yield "IP UDP, VLAN", ethernet(v4 / udp, tags=[vlan(100)]), None
    yield "IPv6 UDP, QinQ", ethernet(v6 / udp, tags=[service(1), vlan(2)]), None
    yield "three tags", ethernet(v6 / udp, tags=[service(1), vlan(2), vlan(3)]), None
    yield "tag cut", ethernet(v6 / udp, tags=[vlan(2)]), 17
    yield "IP ICMP", ethernet(v4 / ICMP()), None
    yield "IPv6 ICMPv6", ethernet(v6 / ICMPv6EchoRequest()), None
    spi = rng.randbytes(4)
    yield "IP ESP", ethernet(ip4(address4(rng), proto=50) / spi / bytes(12)), None
    yield "IPv6 ESP", ethernet(ip6(address6(rng), nh=50) / spi / bytes(12)), None
    yield "IP ESP, sequence number cut", ethernet(ip4(proto=50) / spi / bytes(3)), None
    yield "IP ESP, fragment", ethernet(ip4(proto=50, flags="MF") / spi / bytes(12)), None
    yield "IP first fragment", ethernet(ip4(flags="MF") / udp), None
    yield "IP later fragment", ethernet(ip4(frag=9, proto=17) / bytes(24)), None
    yield "IPv6 first fragment", ethernet(ip6(nh=44) / fragment(17, more=True) / udp), None
    yield "IPv6 later fragment", ethernet(ip6(nh=44) / fragment(17, 9) / bytes(24)), None
    yield "IPv6 atomic fragment", ethernet(ip6(nh=44) / fragment(17) / udp), None
    yield "IPv6 UDP behind options", ethernet(ip6(nh=60) / extension(17) / udp), None
    yield "IPv6 chain cut", ethernet(ip6(nh=60) / extension(17, 2)), 70
    yield "ARP", ethernet(rng.randbytes(28), 0x0806), None
    yield "LLDP", ethernet(rng.randbytes(40), 0x88CC, destination="01:80:c2:00:00:0e"), None
    yield (
        "high MACs",
        ethernet(bytes(46), 0x1234, (), "fe:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff"),
        None,
    )


def _tunnelled(rng: Random) -> Iterator[tuple[str, bytes, int | None]]:
    """Every tunnel around IPv4 and IPv6, and cut inside the inner header."""
    for name, wrap in TUNNELS.items():
        for ip in random_ip(rng):
            inner = ip / random_transport(rng, UDP)
            frame = wrap(inner)
            yield f"{name} around {ip.name}", frame, None
            yield f"{name} around {ip.name}, inner UDP cut", frame, len(frame) - 1
            yield f"{name} around {ip.name}, inner IP cut", frame, len(frame) - 9


def _odd_tunnels(rng: Random) -> Iterator[tuple[str, bytes, int | None]]:
    """GTP-U, and tunnels that are opened in part or not at all."""
    inner = random_ip(rng)[0] / random_transport(rng, UDP)
    vxlan, geneve = TUNNELS["VXLAN"](inner), TUNNELS["Geneve"](inner)
    teid = rng.getrandbits(32)
    yield "GTP-U", gtp(teid, inner), None
    yield "GTP-U echo", gtp(teid, inner, message=1), None
    yield "GTP-U, TEID cut", gtp(teid, inner), 49
    yield "GTP version 2", patched(gtp(teid, inner), 42, b"\x48"), None
    yield "VXLAN around ARP", patched(vxlan, 62, b"\x08\x06"), None
    yield "VXLAN without a valid VNI", patched(vxlan, 42, b"\x00"), None
    yield "VXLAN, inner Ethernet cut", vxlan, 63
    yield "VXLAN, first fragment", patched(vxlan, 20, b"\x20\x00"), None
    yield "Geneve version 1", patched(geneve, 42, b"\x40"), None
    yield "GRE version 1", gre_flagged(1, inner), None
    yield "GRE with source routing", gre_flagged(0x4000, inner), None
    yield "MPLS, five labels", mpls(5, inner), None
    yield "MPLS, pseudo-wire", patched(mpls(1, inner), 18, b"\x00"), None
    yield "PPPoE control", patched(TUNNELS["PPPoE"](inner), 24, b"\xc0\x21"), None


def frames() -> Iterator[tuple[str, SpreadBy, bytes, int | None]]:
    """What the file is about: description, kind of spread, frame and linear octets."""
    rng = Random(_SEED)
    for description, frame, linear in _plain(rng):
        for spread_by in HASHED:
            yield description, spread_by, frame, linear
    for description, frame, linear in (*_tunnelled(rng), *_odd_tunnels(rng)):
        yield description, SpreadBy.INNER_FLOW, frame, linear


def read() -> tuple[Vector, ...]:
    """The vectors of the file."""
    return tuple(
        Vector(**{**entry, "spread_by": SpreadBy(entry["spread_by"])})
        for entry in json.loads(FILE.read_text())
    )


def write() -> None:
    """Replace the file by what the hash says now, one vector a line."""
    vectors = (
        Vector(
            description=description,
            spread_by=spread_by,
            frame=frame.hex(),
            linear=linear,
            slot=slot(frame, spread_by, linear),
        )
        for description, spread_by, frame, linear in frames()
    )
    lines = ",\n".join(json.dumps(asdict(vector)) for vector in vectors)
    FILE.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    write()
