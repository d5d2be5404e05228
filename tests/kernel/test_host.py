"""What is observed of links is what iproute2 and ethtool say about them."""

import json
import os
from pathlib import Path

import pytest

from tests.kernel.bytecode import XDP_PASS, attached, verdict
from tests.kernel.lab import Host as LabHost
from tests.kernel.lab import Lab
from xdpredirect.errors import KernelError
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode
from xdpredirect.kernel.ethtool import OFFLOADS, Ethtool
from xdpredirect.kernel.host import observe_host
from xdpredirect.kernel.watch import LinkWatch


def observe(host: LabHost) -> Host:
    with host.enter():
        return observe_host()


def link(host: LabHost, name: str) -> Link:
    return next(found for found in observe(host).links if found.name == name)


def told(host: LabHost, name: str) -> dict[str, object]:
    """What iproute2 says."""
    found = json.loads(host.ip("-d", "-j", "link", "show", "dev", name))
    return dict(found[0])


def test_every_value_is_what_iproute2_says(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"), mtu=3000, queues=2)
    dut = lab.host("dut")
    dut.ip("link", "add", "br0", "type", "bridge")
    dut.ip("link", "set", "p1", "master", "br0")
    dut.ip("link", "set", "br0", "promisc", "on")
    links = {found.name: found for found in observe(dut).links}
    assert set(links) == {"lo", "p1", "br0"}
    for name, found in links.items():
        said = told(dut, name)
        flags = said["flags"]
        assert isinstance(flags, list)
        master = next((i.ifindex for i in links.values() if i.name == said.get("master")), 0)
        info = said.get("linkinfo") or {}
        assert isinstance(info, dict)
        assert found.ifindex == said["ifindex"]
        assert found.mac.hex(":") == said["address"]
        assert found.mtu == said["mtu"]
        assert found.promiscuity == said["promiscuity"]
        assert found.up is ("UP" in flags)
        assert found.carrier is ("LOWER_UP" in flags)
        assert found.kind == info.get("info_kind", "")
        assert found.master == master
        assert found.lower == said.get("link_index", 0)
        assert found.rx_channels <= int(str(said["num_rx_queues"]))
    assert (links["p1"].rx_channels, links["p1"].tx_channels) == (2, 2)
    assert links["p1"].master == links["br0"].ifindex
    assert links["br0"].promiscuity == 1


def test_alternative_names(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"))
    dut = lab.host("dut")
    for name in ("uplink", "a-much-longer-name-than-an-interface-may-have"):
        dut.ip("link", "property", "add", "dev", "p1", "altname", name)
    names = link(dut, "p1").alt_names
    assert names == ("uplink", "a-much-longer-name-than-an-interface-may-have")
    dut.ip("link", "property", "del", "dev", "p1", "altname", "uplink")
    assert link(dut, "p1").alt_names == names[1:]


def test_a_peer_that_moves_away(lab: Lab) -> None:
    dut, a = lab.host("dut"), lab.host("a")
    near, far = lab.veth(("dut", "p1"), ("dut", "q1"))
    assert link(dut, "p1").lower == far.ifindex
    assert link(dut, "p1").lower_here
    dut.ip("link", "set", "q1", "netns", a.netns)
    assert link(dut, "p1").lower == link(a, "q1").ifindex
    assert not link(dut, "p1").lower_here
    assert not link(a, "q1").lower_here
    assert link(a, "q1").lower == near.ifindex


def test_gro_at_the_peer_shows_as_xdp_transmit(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"), tuned=False)
    dut, a = lab.host("dut"), lab.host("a")
    for state in ("on", "off", "on"):
        a.ethtool("-K", "eth0", "gro", state)
        features = link(dut, "p1").features
        assert features is not None
        assert features & XdpFeatures.BASIC
        assert bool(features & XdpFeatures.NDO_XMIT) is (state == "on")
        assert link(a, "eth0").offloads["rx-gro"] is (state == "on")
    assert link(dut, "lo").features == XdpFeatures(0)


def test_offloads_are_what_ethtool_says(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"), tuned=False)
    dut = lab.host("dut")
    seen = set()
    for switch in ((), ("gro", "on"), ("tx", "off"), ("txvlan", "off", "rxvlan", "off")):
        if switch:
            dut.ethtool("-K", "p1", *switch)
        said = json.loads(dut.ethtool("--json", "-k", "p1"))[0]
        # ethtool has words of its own for these.
        legacy = {
            "rx-checksum": "rx-checksumming",
            "rx-gro": "generic-receive-offload",
            "rx-lro": "large-receive-offload",
            "rx-vlan-hw-parse": "rx-vlan-offload",
            "tx-vlan-hw-insert": "tx-vlan-offload",
            "tx-generic-segmentation": "generic-segmentation-offload",
        }
        expected = {name: said[legacy.get(name, name)]["active"] for name in OFFLOADS}
        assert link(dut, "p1").offloads == expected
        seen.add(tuple(expected.items()))
    assert len(seen) == 4


@pytest.mark.parametrize("generic", [False, True])
def test_attached_programs(lab: Lab, generic: bool) -> None:
    port, _ = lab.veth(("dut", "p1"), ("a", "eth0"))
    with attached(port, verdict(XDP_PASS), generic=generic):
        found, said = link(port.host, "p1"), told(port.host, "p1")["xdp"]
        assert isinstance(said, dict)
        assert found.xdp_mode is (XdpMode.GENERIC if generic else XdpMode.NATIVE)
        assert found.xdp_prog_id == said["prog"]["id"]
    assert (link(port.host, "p1").xdp_mode, link(port.host, "p1").xdp_prog_id) == (XdpMode.NONE, 0)


def test_addresses(lab: Lab) -> None:
    dut = lab.host("dut", ipv6=True)
    lab.veth(("dut", "p1"), ("a", "eth0"))
    dut.address("p1", "192.0.2.1/24", "2001:db8::1/64", "192.0.2.9/24")
    dut.ip("address", "add", "198.51.100.1", "peer", "198.51.100.2", "dev", "p1")
    assert link(dut, "p1").addresses == (
        bytes.fromhex("20010db8000000000000000000000001"),
        bytes([192, 0, 2, 1]),
        bytes([192, 0, 2, 9]),
        bytes([198, 51, 100, 1]),
    )


def test_driver_and_channels_of_a_tap(lab: Lab) -> None:
    lab.tap("dut", "tap0")
    found = link(lab.host("dut"), "tap0")
    assert (found.kind, found.driver, found.pci_address) == ("tun", "tun", "")
    assert (found.rx_channels, found.tx_channels) >= (1, 1)
    assert found.features == XdpFeatures.BASIC | XdpFeatures.REDIRECT | XdpFeatures.NDO_XMIT


def test_carrier_changes_are_counted(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"))
    before = link(lab.host("dut"), "p1").carrier_changes
    lab.host("a").ip("link", "set", "eth0", "down")
    assert not link(lab.host("dut"), "p1").carrier
    lab.host("a").ip("link", "set", "eth0", "up")
    assert link(lab.host("dut"), "p1").carrier_changes == before + 2


def test_labels_and_machine() -> None:
    host = observe_host({"rack": "7", "kubernetes.io/hostname": "other"})
    assert host.labels["rack"] == "7"
    assert host.labels["kubernetes.io/hostname"] == "other"
    assert host.labels["kubernetes.io/os"] == "linux"
    assert host.hostname == os.uname().nodename
    assert host.kernel >= (5, 15)
    assert {cpu.id for cpu in host.cpus} >= os.sched_getaffinity(0)
    assert all(cpu.id in cpu.siblings for cpu in host.cpus)


def test_cpus_that_kubelet_gave_away(tmp_path: Path) -> None:
    state = tmp_path / "cpu_manager_state"
    state.write_text('{"policyName":"static","entries":{"pod":{"c":"0"}},"checksum":1}')
    assert [cpu.id for cpu in observe_host(kubelet_state=state).cpus if cpu.exclusive] == [0]
    state.write_text('{"policyName"')
    assert not [cpu for cpu in observe_host(kubelet_state=state).cpus if cpu.exclusive]


def test_two_hundred_links_are_all_seen(lab: Lab) -> None:
    """More than one answer of netlink holds."""
    dut = lab.host("dut")
    for number in range(100):
        dut.ip("link", "add", f"p{number}", "type", "veth", "peer", f"q{number}")
    with dut.enter():
        links = observe_host().links
    expected = {f"{side}{number}" for side in "pq" for number in range(100)}
    assert {link.name for link in links} == expected | {"lo"}


def test_no_descriptor_stays_open(lab: Lab) -> None:
    lab.veth(("dut", "p1"), ("a", "eth0"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    observe(lab.host("dut"))
    with lab.host("dut").enter(), LinkWatch():
        pass
    with lab.host("dut").enter(), Ethtool() as ethtool:
        with pytest.raises(KernelError, match="set no-such-offload of p1"):
            ethtool.set_offload("p1", "no-such-offload", on=True)
        with pytest.raises(KernelError, match="ENODEV"):
            ethtool.set_offload("p9", "rx-gro", on=True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
