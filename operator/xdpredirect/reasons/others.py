"""Reasons of frames that were on their way to a CPU or a socket, or that never found a target."""

import errno

from xdpredirect.datapath.abi import Event
from xdpredirect.host import XdpMode
from xdpredirect.reasons.facts import Facts, MapKind, Own, Reason

XDP_ABORTED, XDP_TX = 0, 3
ENQUEUE = (Event.REDIRECT_ERR,)
SOCKET, CPU = (MapKind.SOCKET,), (MapKind.CPU,)


def _split(facts: Facts) -> bool:
    """Linux 5.19 gave each failure of a socket an errno of its own."""
    return facts.kernel >= (5, 19) or facts.kernel == (0, 0)


def _unsplit(facts: Facts) -> bool:
    return not _split(facts)


CPUS = (
    Reason(
        name="CpuQueueFull",
        events=(Event.CPUMAP_ENQUEUE,),
        cause="The queue of {target} is full: it gets more frames than it can work off.",
        fix="Add CPUs to the rule, raise `cpus.queueSize` (up to 16384), and keep other work off "
        "{target}.",
    ),
    Reason(
        name="CpuQueueFull",
        events=ENQUEUE,
        errnos=(errno.ENOSPC,),
        maps=CPU,
        condition="generic mode, counted with xdp_cpumap_enqueue",
        cause="The queue of {target} is full, in generic mode.",
        fix="Use `mode: Native` on {interface}, add CPUs, or raise `cpus.queueSize`.",
    ),
    Reason(
        name="CpuOutOfMemory",
        events=(Event.CPUMAP_KTHREAD,),
        cause="No memory for packet buffers on {target}.",
        fix="Lower `cpus.queueSize`, or give the machine memory: `cat /proc/buddyinfo`.",
        source="kernel/bpf/cpumap.c: cpu_map_kthread_run",
    ),
    Reason(
        name="CpuProgramDropped",
        events=(Event.CPUMAP_PROGRAM,),
        cause="On {target} its CPUMAP program dropped frames: no room for the VLAN tag of the "
        "rewrite.",
        fix="Send to a device without the tag, or rewrite before the CPU: `type: Device`.",
    ),
)

SOCKETS = (
    Reason(
        name="SocketWrongQueue",
        events=ENQUEUE,
        errnos=(errno.EINVAL,),
        maps=SOCKET,
        when=_split,
        cause="The AF_XDP {target} on {interface} is bound to another queue or device.",
        fix="Bind it to the queue that frames arrive on, or steer them: `ethtool -N {interface} "
        "...`.",
        kernels="before 5.19 also a socket that is not bound",
    ),
    Reason(
        name="SocketNotBound",
        events=ENQUEUE,
        errnos=(errno.ENXIO, errno.EINVAL),
        maps=SOCKET,
        cause="The AF_XDP {target} on {interface} is not bound, or is being closed.",
        fix="Start the program that owns it; `ss --xdp -p` lists bound sockets.",
        kernels="EINVAL before 5.19",
    ),
    Reason(
        name="SocketRingFull",
        events=ENQUEUE,
        errnos=(errno.ENOBUFS,),
        maps=SOCKET,
        cause="The ring of AF_XDP {target} on {interface} is full: its program is too slow.",
        fix="A larger ring, more queues or busy polling in that program: `ss --xdp -p`.",
        kernels="ENOSPC before 5.19",
    ),
    Reason(
        name="SocketFillRingEmpty",
        events=ENQUEUE,
        errnos=(errno.ENOMEM,),
        maps=SOCKET,
        cause="AF_XDP {target} on {interface} has no empty buffers: its program returns none.",
        fix="In that program (`ss --xdp -p`): a larger UMEM, or refill the fill ring earlier.",
        kernels="ENOSPC before 5.19",
    ),
    Reason(
        name="SocketRingFull",
        events=ENQUEUE,
        errnos=(errno.ENOSPC,),
        maps=SOCKET,
        when=_unsplit,
        condition="Linux before 5.19",
        cause="The receive ring of AF_XDP {target} on {interface} is full, or its fill ring empty.",
        fix="Larger rings in that program (`ss --xdp -p`); Linux 5.19 tells the two apart.",
        kernels="before 5.19",
        source="net/xdp/xsk.c and xsk_queue.h of 5.10",
    ),
    Reason(
        name="FrameTooBigForSocket",
        events=ENQUEUE,
        errnos=(errno.ENOSPC, errno.EOPNOTSUPP),
        maps=SOCKET,
        cause="Frames from {interface} are longer than a UMEM buffer of AF_XDP {target}.",
        fix="Larger buffers or `multi-buffer` (XDP_USE_SG, Linux 6.6) in that program (`ss --xdp "
        "-p`), or `ip link set {interface} mtu N`.",
    ),
)

PROGRAMS = (
    Reason(
        name="BroadcastWithoutMember",
        events=(Own.MISS,),
        when=lambda facts: facts.broadcast,
        condition="the rule is a Broadcast",
        cause="No member of the broadcast could take a copy of what came in at {interface}: each "
        "is down, cannot transmit XDP frames, or is {interface}.",
        fix="`xdpredirect status` names each member's problem under Findings.",
    ),
    Reason(
        name="NoEntry",
        events=(Own.MISS,),
        condition="the rule's onMiss is Drop or Abort",
        cause="The rule had no target for frames of {interface}, and onMiss drops them.",
        fix="Add the missing entry or device, or choose `onMiss: Pass`.",
    ),
    Reason(
        name="NoTarget",
        events=ENQUEUE,
        errnos=(56,),
        cause="A program on {interface} said XDP_REDIRECT without naming a target.",
        fix="It must return what the redirect helper returned: `bpftool net show dev {interface}`.",
    ),
    Reason(
        name="DeviceGone",
        events=ENQUEUE,
        errnos=(errno.EINVAL,),
        maps=(MapKind.NONE, MapKind.DEVICE),
        cause="The device of a redirect by number, {target}, is gone or in another network "
        "namespace.",
        fix="`ip link` lists those here; let the program on {interface} use a map, whose entries "
        "go with the device.",
    ),
    Reason(
        name="TransmitQueueStopped",
        events=(Event.EXCEPTION,),
        when=lambda facts: facts.verdict == XDP_TX and facts.mode is not XdpMode.NATIVE,
        condition="verdict XDP_TX, generic mode",
        cause="The transmit queue of {target} was stopped; generic XDP passes its qdisc by.",
        fix="Use `mode: Native`, or a larger ring: `ethtool -G {target} tx 4096`.",
    ),
    Reason(
        name="TransmitRefused",
        events=(Event.EXCEPTION,),
        when=lambda facts: facts.verdict == XDP_TX,
        condition="verdict XDP_TX, native mode",
        cause="The driver of {target} refused frames that go back out.",
        fix="See its counters: `ethtool -S {target}`; more channels often help.",
        source="xdp_exception in every NIC driver's XDP_TX branch",
    ),
    Reason(
        name="ProgramAborted",
        events=(Event.EXCEPTION,),
        when=lambda facts: facts.verdict == XDP_ABORTED,
        condition="verdict XDP_ABORTED",
        cause="A program on {interface} gave up (XDP_ABORTED), or redirected to an entry that its "
        "map does not have.",
        fix="Ask whoever attached it: `bpftool net show dev {interface}`.",
    ),
    Reason(
        name="UnknownVerdict",
        events=(Event.EXCEPTION,),
        condition="any other verdict",
        cause="A program on {interface} returned a verdict that the driver does not know.",
        fix="Mend the program: `bpftool net show dev {interface}` names it.",
    ),
    Reason(
        name="TooManyCauses",
        events=(Event.UNLISTED,),
        cause="The drop monitor's table of 16,384 causes is full; what new causes lose is only "
        "added up here.",
        fix="Empty it between two passes (`xdpredirect apply -f FILE`), totals stay: "
        "`rm -r /sys/fs/bpf/xdpredirect/monitor`.",
    ),
    Reason(
        name="Unexplained",
        events=tuple(Event),
        condition="none of the rows above",
        cause="The kernel lost frames from {interface} to {target} with an error that is not in "
        "our table.",
        fix="Please report it with the output of `xdpredirect status -o json`.",
    ),
)
