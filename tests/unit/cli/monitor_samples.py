"""Intervals that look like those of a busy machine, for the tests of `monitor`."""

from xdpredirect.agent.host_rates import Event, HostInterval
from xdpredirect.agent.rates import (
    InterfaceRates,
    LossRate,
    ObjectInterval,
    RuleRates,
    Traffic,
)

TIME = "2026-01-02T03:04:05Z"
DOWN = "{} is down. Bring it up: `ip link set {} up`."


def rule(
    name: str, action: str, targets: tuple[str, ...], *numbers: int, **more: object
) -> RuleRates:
    """Numbers: matched, octets, misses, errors, lost."""
    matched, octets, misses, errors, lost = (*numbers, 0, 0, 0, 0, 0)[:5]
    cpus = more.get("cpus", (matched, 0))
    assert isinstance(cpus, tuple)
    return RuleRates(
        object=str(more.get("object", "edge")),
        rule=name,
        action=action,
        targets=targets,
        matched=matched,
        redirected=0 if action in ("Pass", "Drop") else matched - misses - errors - lost,
        octets=octets,
        misses=misses,
        errors=errors,
        lost=lost,
        cpus=cpus,
    )


def loss(packets: int, target: str, **more: str) -> LossRate:
    return LossRate(
        object=more.get("object", "edge"),
        rule=more.get("rule", "uplink"),
        interface=more.get("interface", "ens1f0"),
        target=target,
        reason=more.get("reason", "TargetDown"),
        errno=more.get("errno", "ENETDOWN"),
        packets=packets,
        hint=more.get("hint", DOWN.format(target, target)),
    )


def busy() -> ObjectInterval:
    """Two seconds of two interfaces."""
    many = tuple(1000 * (n % 5) for n in range(64))
    return ObjectInterval(
        time=TIME,
        seconds=2.0,
        interfaces=(
            InterfaceRates(
                name="ens1f0",
                mode="Native",
                rules=(
                    rule("dns", "CPUs", ("cpu 2", "cpu 3"), sum(many), 6_000_000, cpus=many),
                    rule("bots", "Drop", (), 400, 40_000, cpus=(100, 300)),
                    rule("uplink", "Device", ("ens1f1",), 29_761_904, 1_904_761_856, 0, 0, 2_500,
                         cpus=(29_761_904, 0)),
                    rule("per-vlan", "DeviceTable", ("vlan 200 -> veth200",), 10, 640, 3, 1,
                         cpus=(5, 5)),
                    rule("ssh", "Pass", (), cpus=(0, 0)),
                ),
                lost=2_600,
                unmatched=Traffic(packets=20_311, octets=1_900_000),
                protected=Traffic(packets=1, octets=60),
                malformed=Traffic(),
            ),
            InterfaceRates(
                name="veth-mirror",
                mode="Generic",
                rules=(rule("flood", "Broadcast", ("tap0", "tap1"), object="tap", cpus=(0, 0)),),
                lost=0,
                unmatched=Traffic(),
                protected=Traffic(),
                malformed=Traffic(),
            ),
        ),
        losses=(
            loss(2_400, "ens1f1"),
            loss(100, "ens1f1", reason="FrameTooBig", errno="EMSGSIZE",
                 hint="Frames are longer than the MTU of ens1f1 allows. Raise it: "
                 "`ip link set ens1f1 mtu 9000`."),
            loss(100, "ens1f2", rule="", hint=""),
        ),
    )  # fmt: skip


def machine() -> HostInterval:
    """One second of a machine on which somebody else's programs run."""
    names: tuple[str, ...] = ("xdp_redirect_err", "xdp_exception", "xdp_devmap_xmit", "xdp_bulk_tx")
    names += ("xdp_cpumap_enqueue", "xdp_cpumap_kthread", "mem_connect")
    return HostInterval(
        time=TIME,
        seconds=1.0,
        here=1,
        attached=names,
        events=(
            Event(tracepoint="xdp_redirect_err", program=71, program_name="lb", map=9,
                  map_name="ports", key=3, origin="eth0", target="eth1", netns=1,
                  errno="ENETDOWN", events=1200),
            Event(tracepoint="xdp_redirect_err", program=72, key=5, origin="p1@blue", netns=2,
                  errno="EOPNOTSUPP", events=7),
            Event(tracepoint="xdp_exception", program=71, program_name="lb", verdict="ABORTED",
                  origin="eth0", netns=1, events=2),
            Event(tracepoint="xdp_devmap_xmit", origin="eth0", target="eth1", netns=1,
                  errno="ENXIO", events=4, packets=16, drops=48),
            Event(tracepoint="xdp_devmap_xmit", origin="eth0", target="eth2", netns=1, events=100,
                  packets=1600),
            Event(tracepoint="xdp_bulk_tx", origin="eth3", target="eth3", netns=1, events=1,
                  packets=8),
            Event(tracepoint="xdp_cpumap_enqueue", map=12, map_name="cpus", origin="cpu 0",
                  target="cpu 3", events=10, packets=80, drops=5),
            Event(tracepoint="xdp_cpumap_kthread", map=12, map_name="cpus", origin="cpu 3",
                  target="cpu 3", events=10, packets=75, passed=70, refused=5, scheduled=3),
            Event(tracepoint="xdp_cpumap_kthread", map=13, origin="cpu 1", target="cpu 1", events=1,
                  scheduled=1),
            Event(tracepoint="mem_connect", events=2),
        ),
        unlisted=3,
    )  # fmt: skip
