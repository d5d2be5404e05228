"""protect under a catch-all: what Node and Link keep for the host, and that None keeps nothing."""

import pytest
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RS
from scapy.layers.l2 import ARP

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, Switch, both_modes, redirect, rule, switch
from tests.spec.frames import ethernet, ip4, ip6, vlan

HERE4, HERE6, THERE4, THERE6 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"
ACTIONS = {
    "Drop": "{type: Drop}",
    "TX": "{type: TX, tx: {}}",
    "Device": "{type: Device, device: {name: p1}}",
    "CPUs": "{type: CPUs, cpus: {set: '0', then: {type: Drop}}}",
}
MANY = 12  # more than the addresses that are constants of the program


def protected(action: str, protect: str) -> str:
    """An object that takes every frame that `protect` leaves it."""
    return redirect(rule("r", CATCH_ALL, ACTIONS[action]), protect=f'"{protect}"')


def connected(s: Switch, addresses: int = 1) -> None:
    """Gives both ends of `in` addresses; the host gets that many of each family."""
    last4 = [f"192.0.2.{100 + n}/24" for n in range(addresses - 1)]
    last6 = [f"2001:db8::{100 + n}/64" for n in range(addresses - 1)]
    s.dut.address("in", *last4, *last6, f"{HERE4}/24", f"{HERE6}/64")
    s.far["in"].host.address("in", f"{THERE4}/24", f"{THERE6}/64")


def answered(s: Switch, address: str) -> bool:
    """Whether three pings from the other end are all answered, ARP or ND included."""
    ping = ["ping", "-c3", "-i0.05", "-W1", "-q", address]
    done = s.far["in"].host.run(ping, check=False)
    assert (" 0% packet loss" in done.stdout) == (done.returncode == 0), done.stdout
    return done.returncode == 0


@both_modes
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("addresses", [1, MANY])
def test_node_keeps_the_host_reachable(lab: Lab, mode: str, action: str, addresses: int) -> None:
    with switch(lab, mode, ipv6=True) as s:
        connected(s, addresses)
        s.apply(protected(action, "Node"))
        assert answered(s, HERE4)
        assert answered(s, HERE6)
        if addresses > 1:
            assert answered(s, "192.0.2.105")
            assert answered(s, "2001:db8::105")
        assert s.interface().protected.packets >= 6


@both_modes
@pytest.mark.parametrize("protect", ["Link", "None"])
def test_without_node_a_catch_all_cuts_the_host_off(lab: Lab, mode: str, protect: str) -> None:
    with switch(lab, mode, ipv6=True) as s:
        connected(s)
        assert answered(s, HERE4)
        s.apply(protected("Drop", protect))
        assert not answered(s, HERE4)
        assert not answered(s, HERE6)


@both_modes
def test_an_address_that_comes_later_is_protected_too(lab: Lab, mode: str) -> None:
    with switch(lab, mode, ipv6=True) as s:
        connected(s)
        s.apply(protected("Drop", "Node"))
        s.dut.address("in", "192.0.2.77/24")
        s.converge()
        assert answered(s, "192.0.2.77")
        s.dut.address("in", *(f"192.0.2.{200 + n}/24" for n in range(MANY)))
        s.converge()
        assert answered(s, "192.0.2.205")
        s.dut.ip("address", "delete", "192.0.2.77/24", "dev", "in")
        s.converge()
        assert not answered(s, "192.0.2.77")


LLDP = ethernet(bytes(46), 0x88CC, destination="01:80:c2:00:00:0e")
LACP = ethernet(bytes(46), 0x8809, destination="01:80:c2:00:00:02")
# Frame, and the least protection that keeps it for the host.
FRAMES = (
    ("LLDP", LLDP, "Link"),
    ("LACP", LACP, "Link"),
    ("ARP request", ethernet(bytes(ARP(pdst=HERE4)), 0x0806), "Node"),
    ("ARP of others", ethernet(bytes(ARP(pdst="192.0.2.99")), 0x0806), "Node"),
    ("ARP, tagged", ethernet(bytes(ARP(pdst=HERE4)), 0x0806, tags=[vlan(5)]), "Node"),
    ("DHCP to a server", ethernet(ip4(destination="255.255.255.255") / UDP(dport=67)), "Node"),
    ("DHCP to a client", ethernet(ip4(destination="192.0.2.99") / UDP(dport=68)), "Node"),
    ("DHCPv6", ethernet(ip6(destination="ff02::1:2") / UDP(dport=547)), "Node"),
    ("DHCPv6 to a client", ethernet(ip6(destination="fe80::9") / UDP(dport=546)), "Node"),
    ("neighbour solicitation", ethernet(ip6() / ICMPv6ND_NS()), "Node"),
    ("neighbour advertisement", ethernet(ip6() / ICMPv6ND_NA()), "Node"),
    ("router solicitation", ethernet(ip6() / ICMPv6ND_RS()), "Node"),
    ("IPv4 to the host", ethernet(ip4(destination=HERE4) / TCP(dport=22)), "Node"),
    ("IPv4 to the host, fragment", ethernet(ip4(destination=HERE4, frag=9) / bytes(20)), "Node"),
    ("IPv6 to the host", ethernet(ip6(destination=HERE6) / TCP(dport=22)), "Node"),
    ("IPv4 to others", ethernet(ip4() / ICMP()), ""),
    ("IPv6 to others", ethernet(ip6() / ICMPv6EchoRequest()), ""),
    ("UDP to others", ethernet(ip4() / UDP(dport=69)), ""),
    ("not IP", ethernet(bytes(46), 0x88B5), ""),
)
KEEPS = {"Node": ("Node", "Link"), "Link": ("Link",), "None": ()}


@both_modes
@pytest.mark.parametrize("protect", KEEPS)
@pytest.mark.parametrize("addresses", [1, MANY])
def test_which_frames_are_kept(lab: Lab, mode: str, protect: str, addresses: int) -> None:
    with switch(lab, mode) as s:
        # Addresses of another interface are the node's too; it answers no ARP for them here.
        s.dut.ip("link", "add", "held", "type", "veth", "peer", "name", "held1")
        s.dut.sysctl("ipv6/conf/held/disable_ipv6", "0")
        more = [f"192.0.2.{100 + n}/32" for n in range(addresses - 1)]
        s.dut.address("held", f"{HERE4}/32", f"{HERE6}/128", *more)
        s.dut.sysctl("ipv4/conf/all/arp_ignore", "8")
        s.apply(protected("Device", protect))
        kept = [f for _, f, least in FRAMES if least in KEEPS[protect]]
        taken = [f for _, f, least in FRAMES if least not in KEEPS[protect]]
        found = s.deliver([f for _, f, _ in FRAMES], stack=len(kept), p1=len(taken))
        assert found.get("stack", []) == kept
        assert found.get("p1", []) == taken
        assert s.interface().protected.packets == len(kept)
        assert s.counted("r").packets == len(taken)


@both_modes
def test_a_pass_rule_counts_only_what_protection_left(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(redirect(rule("r", CATCH_ALL, "{type: Pass}"), protect="Link"))
        s.deliver([LLDP] * 3 + [FRAMES[-1][1]] * 2, stack=5)
        assert (s.interface().protected.packets, s.counted("r").packets) == (3, 2)
