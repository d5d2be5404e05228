"""Findings about devices and CPUs that rules send to."""

from dataclasses import replace
from typing import Any

import pytest

from xdpredirect.agent.findings import Target, Usage, findings
from xdpredirect.agent.findings.cpus import free_cpus
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.host import Cpu, Host, Link, XdpFeatures, XdpMode

NATIVE, GENERIC = XdpMode.NATIVE, XdpMode.GENERIC
DEGRADED, STALLED = Severity.DEGRADED, Severity.STALLED
ALL, NO_XMIT, NONE = XdpFeatures(0x67), XdpFeatures(0x2B), XdpFeatures(0)

IN = Link(ifindex=2, name="eth1", driver="e1000", up=True, carrier=True, features=ALL)
OUT = Link(ifindex=3, name="eth2", driver="virtio_net", up=True, carrier=True, features=ALL)
V = replace(OUT, ifindex=5, name="v0", kind="veth", driver="veth", lower=6, features=NO_XMIT)
P = replace(V, ifindex=6, name="p0", lower=5)


def device(link: Link | None, rule: str = "r", name: str = "d", kind: str = "device") -> Target:
    return Target(rule=rule, kind=kind, name=name, link=link)  # type: ignore[arg-type]


def cpu(number: int, rule: str = "r") -> Target:
    return Target(rule=rule, kind="cpu", name=f"cpu {number}", cpu=number)


def check(
    *targets: Target,
    mode: XdpMode = NATIVE,
    ingress: Link = IN,
    others: tuple[Link, ...] = (P,),
    cpus: tuple[Cpu, ...] = (Cpu(id=0), Cpu(id=1)),
    **more: Any,
) -> tuple[Finding, ...]:
    usage = Usage(object="o", interface=ingress, mode=mode, redirects=True, targets=targets, **more)
    links = tuple(t.link for t in targets if t.link is not None)
    return findings([usage], Host(links=(ingress, *links, *others), cpus=cpus))


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (replace(OUT, features=NO_XMIT), "`prepare: Apply`"),
        (replace(OUT, driver="", kind="bridge", name="br0", features=NONE), "Use mode Generic"),
        (replace(OUT, driver="", name="lo", features=NONE), "lo has no XDP transmit"),
        (V, "`ethtool -K p0 gro on`"),
        (replace(V, lower_here=False), "`ethtool -K <peer> gro on` in that namespace"),
    ],
)
def test_target_cannot_transmit(link: Link, words: str) -> None:
    (finding,) = check(device(link))
    assert (finding.reason, finding.severity) == ("TargetCannotTransmit", STALLED)
    assert (finding.interface, finding.rule) == ("eth1", "r")
    assert words in finding.message
    assert finding.message.startswith(link.name)
    assert check(device(link), mode=GENERIC) == ()
    assert check(device(replace(link, features=None))) == ()
    assert check(device(replace(link, features=ALL))) == ()


def test_a_veth_whose_peer_is_down_says_so() -> None:
    (finding,) = check(device(V), others=(replace(P, up=False),))
    assert "`ip link set p0 up`" in finding.message


FAR = replace(V, lower_here=False)
RUNS = replace(P, xdp_mode=NATIVE, xdp_prog_id=3)


@pytest.mark.parametrize(
    ("description", "ingress", "peer", "expected"),
    [
        ("nothing there", V, P, [("TargetCannotTransmit", STALLED)]),
        ("GRO alone", replace(V, features=ALL), P, [("TargetCannotTransmit", STALLED)]),
        ("a program", replace(V, features=ALL), RUNS, []),
        ("elsewhere, nothing", FAR, P, [("TargetCannotTransmit", STALLED)]),
        ("elsewhere", replace(FAR, features=ALL), P, [("PeerUnreadable", Severity.INFO)]),
        ("a NIC", IN, P, []),
    ],
)
def test_tx_on_a_veth_needs_a_program_at_its_peer(
    description: str, ingress: Link, peer: Link, expected: list[tuple[str, Severity]]
) -> None:
    result = check(ingress=ingress, others=(peer,), tx=True)
    about_tx = [f for f in result if f.message.startswith("TX")]
    assert [(f.reason, f.severity) for f in about_tx] == expected, description
    assert not [f for f in check(ingress=ingress, others=(peer,)) if f.message.startswith("TX")]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([device(None)], [("r", STALLED)]),
        ([device(None), device(OUT)], [("r", DEGRADED)]),
        ([device(None), device(None, name="e")], [("r", STALLED), ("r", STALLED)]),
        ([device(None), device(OUT, rule="s")], [("r", STALLED)]),
        ([device(OUT)], []),
    ],
)
def test_a_missing_device_stalls_a_rule_without_others(
    targets: list[Target], expected: list[tuple[str, Severity]]
) -> None:
    result = check(*targets)
    assert {f.reason for f in result} <= {"DeviceMissing"}
    assert [(f.rule, f.severity) for f in result] == expected


@pytest.mark.parametrize(
    ("reason", "link", "words"),
    [
        ("TargetDown", replace(OUT, up=False), "`ip link set eth2 up`"),
        ("TargetDown", replace(OUT, carrier=False), "no carrier"),
        ("TargetMtuSmaller", replace(OUT, mtu=1400), "`ip link set eth2 mtu 1500`"),
    ],
)
def test_target_at_risk(reason: str, link: Link, words: str) -> None:
    for mode in (NATIVE, GENERIC):
        (finding,) = check(device(link), mode=mode)
        assert (finding.reason, finding.severity, finding.rule) == (reason, DEGRADED, "r")
        assert words in finding.message


JUMBO = replace(IN, mtu=9000)
GATHER = replace(OUT, mtu=9000)
NO_GATHER = replace(GATHER, features=ALL & ~XdpFeatures.NDO_XMIT_SG)


@pytest.mark.parametrize(
    ("target", "ingress", "frags", "fires"),
    [
        (device(NO_GATHER), JUMBO, True, True),
        (device(GATHER, kind="broadcast"), JUMBO, True, True),
        (device(GATHER), JUMBO, True, False),
        (device(NO_GATHER), replace(IN, mtu=3498), True, False),
        (device(NO_GATHER), JUMBO, False, False),
    ],
    ids=["no scatter gather", "broadcast", "can do it", "fits one buffer", "no frags asked for"],
)
def test_target_not_scatter_gather(target: Target, ingress: Link, frags: bool, fires: bool) -> None:
    reasons = [f.reason for f in check(target, ingress=ingress, frags=frags)]
    assert reasons == ["TargetNotScatterGather"] * fires
    # Generic XDP sends such frames through the ordinary path, but copies them no more than native.
    generic = [f.reason for f in check(target, ingress=ingress, frags=frags, mode=GENERIC)]
    assert generic == reasons * (target.kind == "broadcast")


def test_offline_cpus() -> None:
    (finding,) = check(cpu(1), cpu(5), cpu(6), cpu(7))
    assert (finding.reason, finding.severity) == ("CpuOffline", DEGRADED)
    assert "no CPU 5-7 online (it has 0-1)" in finding.message
    (finding,) = check(cpu(5))
    assert finding.severity is STALLED
    assert check(cpu(0), cpu(1)) == ()


EIGHT = tuple(Cpu(id=n, numa_node=n // 4) for n in range(8))


@pytest.mark.parametrize(
    ("description", "ingress", "special", "chosen", "words"),
    [
        ("none", {}, {}, [0, 1], ""),
        ("interrupts", {"irq_cpus": (0, 1)}, {}, [1, 2], "1 take the interrupts of eth1. Use 2-7"),
        ("isolated", {}, {3: {"isolated": True}}, [2, 3], "3 are isolated. Use 0-2,4-7"),
        ("kubelet", {}, {3: {"exclusive": True}}, [3], "3 belong to a container alone. Use 0-2,4"),
        ("far", {"numa_node": 0}, {}, [3, 4], "4 are far from eth1 (NUMA node 0). Use 0-3"),
        ("near", {"numa_node": 1}, {}, [4, 7], ""),
        ("interrupts everywhere", {"irq_cpus": tuple(range(8))}, {}, [0, 7], ""),
        (
            "two at once",
            {"irq_cpus": (0,), "numa_node": 0},
            {1: {"isolated": True}},
            [0, 1],
            "0 take the interrupts of eth1; 1 are isolated. Use 2-3",
        ),
    ],
)
def test_cpu_clash(
    description: str,
    ingress: dict[str, Any],
    special: dict[int, dict[str, Any]],
    chosen: list[int],
    words: str,
) -> None:
    cpus = tuple(replace(c, **special.get(c.id, {})) for c in EIGHT)
    link = replace(IN, **ingress)
    result = check(*[cpu(n) for n in chosen], ingress=link, cpus=cpus)
    assert [f.reason for f in result] == ["CpuClash"] * bool(words), description
    assert all(words in f.message and f.severity is DEGRADED for f in result)


def test_no_free_cpu_is_said() -> None:
    (finding,) = check(cpu(0), cpus=(Cpu(id=0, isolated=True),))
    assert "No other CPU is free" in finding.message


@pytest.mark.parametrize(
    ("irq_cpus", "node", "expected"),
    [((), -1, (0, 1, 2)), ((0,), 0, (1,)), ((0, 1), 0, (2,)), ((0, 1, 2), 1, (0, 1, 2))],
)
def test_free_cpus(irq_cpus: tuple[int, ...], node: int, expected: tuple[int, ...]) -> None:
    host = Host(cpus=(Cpu(id=0), Cpu(id=1), Cpu(id=2, numa_node=1), Cpu(id=3, isolated=True)))
    assert free_cpus(replace(IN, irq_cpus=irq_cpus, numa_node=node), host) == expected


@pytest.mark.parametrize(
    ("description", "driver", "irq_cpus", "targets", "words"),
    [
        ("an interrupt beyond", "i40e", (0, 5), [], "ethtool -L eth2 combined 6"),
        ("a CPUMAP beyond", "mlx5_core", (0,), [cpu(7)], "ethtool -L eth2 combined 8"),
        ("the CPUMAP counts, not who receives", "i40e", (0, 5), [cpu(3)], ""),
        ("below", "i40e", (0, 3), [], ""),
        ("any CPU may receive", "i40e", (), [], "ethtool -L eth2 combined 8"),
        ("queues are shared", "virtio_net", (0, 5), [], ""),
    ],
)
def test_fewer_tx_channels(
    description: str, driver: str, irq_cpus: tuple[int, ...], targets: list[Target], words: str
) -> None:
    out = device(replace(OUT, driver=driver, tx_channels=4))
    ingress = replace(IN, irq_cpus=irq_cpus)
    result = check(out, *targets, ingress=ingress, cpus=EIGHT)
    assert [f.reason for f in result] == ["FewerTxChannelsThanCPUs"] * bool(words), description
    assert all(f"`{words}`" in f.message for f in result)
    assert check(out, *targets, ingress=ingress, cpus=EIGHT, mode=GENERIC) == ()


@pytest.mark.parametrize(
    ("mode", "kernel", "rules"),
    [
        (GENERIC, (6, 9), ("r", "s")),
        (GENERIC, (6, 8), ()),
        (GENERIC, (5, 15), ()),
        (NATIVE, (6, 18), ()),
    ],
)
def test_generic_cpu_redirects_to_the_stack(
    mode: XdpMode, kernel: tuple[int, int], rules: tuple[str, ...]
) -> None:
    usage = Usage(object="o", interface=IN, mode=mode, redirects=True, stack_by_cpu=("r", "s"))
    result = [f for f in findings([usage], Host(links=(IN,), kernel=kernel)) if f.rule]
    assert [(f.reason, f.rule) for f in result] == [("GenericCpuStack", rule) for rule in rules]
    assert all("`mode: Native`" in f.message for f in result)
