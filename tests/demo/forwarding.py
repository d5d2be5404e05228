"""The scenes in which objects are applied and traffic flows. Called by `__main__`, in order."""

import os
from contextlib import ExitStack

from tests.demo import traffic
from tests.demo.network import MONITOR, ROUTER, SERVICE, Network
from tests.demo.stage import Count, Stage, plain

PINGS = 50
TCP_OCTETS = 16 << 20
COPIES = 1000
POOL_FLOWS, POOL_EACH = 400, 5
CPU_FLOWS, CPU_EACH = 64, 20


def nothing_forwards(stage: Stage, network: Network) -> None:
    """Without redirects the router joins nobody."""
    with stage.step("Without a redirect nothing gets through") as step:
        answered = traffic.ping(network.hosts["client"], SERVICE, 3)
        step.check(answered == 0, "0 of 3 pings answered", f"{answered} answered")


def silent_drop(stage: Stage, network: Network) -> None:
    """The trap that everybody meets: the redirect works, the frame is gone, nobody says why."""
    client, server = network.hosts["client"], network.hosts["server"]
    server.ethtool("-K", "eth0", "gro", "off")
    network.apply(stage, "1-wire.yaml")
    with stage.step("Silent drop: the redirect runs, but its veth eats every frame") as step:
        answered = traffic.ping(client, SERVICE, 3)
        step.check(answered == 0, "0 of 3 pings answered", f"{answered} answered despite the trap")
    shown = network.show(stage, "status", "wire-out")
    stage.output(shown)
    with stage.step("Status knows why; run its command on the server") as step:
        words = plain(shown)
        step.check(
            "TargetCannotTransmit" in words and "gro on" in words,
            "ethtool -K eth0 gro on",
            "status did not name TargetCannotTransmit",
        )
        server.ethtool("-K", "eth0", "gro", "on")


def wire(stage: Stage, network: Network) -> None:
    """Device, both ways: ping and TCP."""
    client, server = network.hosts["client"], network.hosts["server"]
    with stage.step("Device: XDP is a wire between client and server") as step:
        answered = traffic.ping(client, SERVICE, PINGS)
        stage.count(step, Count("ping through the wire", PINGS, answered, "echo replies"))
    with stage.step("TCP through the same wire") as step:
        received, same = traffic.transfer(client, server, (SERVICE, 8080), TCP_OCTETS)
        stage.count(step, Count("TCP through the wire", TCP_OCTETS, received, "octets"))
        step.check(same, "SHA-256 equal", "other octets arrived than were sent")


def mirror(stage: Stage, network: Network) -> None:
    """Broadcast, in front of the wire by its priority."""
    network.apply(stage, "2-mirror.yaml")
    client = network.hosts["client"]
    sniffer = network.ports["monitor"][1]
    with (
        stage.step("Broadcast: a second object copies UDP to the monitor") as step,
        traffic.Inbox(network.hosts["server"], 5353) as inbox,
        sniffer.counter(lambda frame: frame[36:38] == (5353).to_bytes(2, "big")) as copies,
    ):
        sent = traffic.datagrams(client, (SERVICE, 5353), 10, COPIES // 10)
        stage.count(step, Count("mirrored UDP at the server", sent, inbox.settled(), "datagrams"))
        copies.settled()
        stage.count(step, Count("copies at the monitor", sent, copies.count, "frames"))


def pool(stage: Stage, network: Network) -> None:
    """DeviceGroup: both members together get all, each in proportion to its weight."""
    network.apply(stage, "3-pool.yaml")
    with (
        stage.step("DeviceGroup: flows are spread over two servers, 3 : 1") as step,
        traffic.Inbox(network.hosts["server"], 9000) as first,
        traffic.Inbox(network.hosts["backup"], 9000) as second,
    ):
        sent = traffic.datagrams(network.hosts["client"], (SERVICE, 9000), POOL_FLOWS, POOL_EACH)
        one, two = first.settled(), second.settled()
        stage.count(step, Count("UDP to the group", sent, one + two, "datagrams"))
        step.check(
            two > 0 and one > 2 * two and one % POOL_EACH == 0,
            f"server {one:,} + backup {two:,}",
            f"server {one:,}, backup {two:,}: not three to one, or a flow was torn apart",
        )


def cpus(stage: Stage, network: Network) -> None:
    """CPUs: the stack of another CPU takes over; each flow stays on one."""
    network.apply(stage, "4-cpus.yaml")
    with (
        stage.step("CPUs: UDP to the router itself is spread over CPUs") as step,
        ExitStack() as sockets,
    ):
        inboxes = [
            sockets.enter_context(
                traffic.Inbox(network.router, 7000, sender=(MONITOR, 20_000 + flow))
            )
            for flow in range(CPU_FLOWS)
        ]
        sent = traffic.datagrams(network.hosts["monitor"], (ROUTER, 7000), CPU_FLOWS, CPU_EACH)
        inboxes[0].settled()
        received = sum(inbox.settled(quiet=0.0) for inbox in inboxes)
        stage.count(step, Count("UDP through CPUMAP", sent, received, "datagrams"))
        used = sorted({inbox.cpu for inbox in inboxes})
        step.check(
            len(used) >= min(2, os.cpu_count() or 1),
            f"{CPU_FLOWS} flows on CPUs {', '.join(map(str, used))}",
            f"all flows were on CPU {used[0]}",
        )


def status(stage: Stage, network: Network) -> None:
    """What an administrator sees."""
    output = network.show(stage, "status")
    lines = output.splitlines()
    heading = next(n for n, line in enumerate(lines) if "FINDINGS" in line)
    stage.output("\n".join(lines[: heading - 1]))
    findings = "\n".join(lines[heading:])
    hints = findings.count("PeerUnreadable")
    stage.remark(f"… and {hints} hints as above: offloads in another namespace cannot be read")
    with stage.step("Status counts in the kernel, by rule") as step:
        expected = f"{POOL_FLOWS * POOL_EACH}"
        shown = plain(output).replace(",", "")
        step.check(
            expected in shown and f"{CPU_FLOWS * CPU_EACH}" in shown,
            f"{POOL_FLOWS * POOL_EACH:,} for the group, {CPU_FLOWS * CPU_EACH:,} for the CPUs",
            f"status does not show {expected} packets of pool/service",
        )
