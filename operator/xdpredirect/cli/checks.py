"""What a machine must have, should have, and lacks: judged from facts. Pure.

Called by `doctor`; `cli.facts` gathers the facts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

OLDEST_KERNEL = (5, 15)
"""First with bpf_link for XDP, DEVMAP_HASH, broadcast and programs on CPUMAP and DEVMAP entries."""
FRAGS_KERNEL = (5, 18)
FEATURES_KERNEL = (6, 3)
# Numbers of <linux/capability.h>.
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
MEMLOCK_WANTED = 512 << 20


class Grade(StrEnum):
    """Missing: nothing works without. Lacking: something does not. Note: to be known."""

    OK = "ok"
    NOTE = "note"
    LACKING = "lacking"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor. `fix` is empty when there is nothing to do; commands in it stand in
    back quotes."""

    name: str
    grade: Grade
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read of the machine. `capabilities` is the effective set as a bit mask;
    `jit` the text of net.core.bpf_jit_enable, empty when unreadable; `compiler` is empty when the
    probe could import bcc, else what it said; `memlock` is the soft limit in bytes, -1 for none.
    `foreign` maps the index of a link to the name of a program on it that is not ours.
    """

    host: Host
    release: str
    capabilities: int
    bpffs: str
    bpffs_mounted: bool
    tracefs_mounted: bool
    btf: bool
    jit: str
    compiler_python: str
    compiler: str
    compiler_version: str
    memlock: int
    foreign: dict[int, str]


def checks(facts: Facts) -> tuple[Check, ...]:
    """Every check of the machine, in the order in which to mend them."""
    return (
        _kernel(facts),
        *_capabilities(facts),
        _mount(facts),
        _tracing(facts),
        _present(
            "BTF",
            facts.btf,
            "/sys/kernel/btf/vmlinux",
            "use a kernel built with CONFIG_DEBUG_INFO_BTF",
        ),
        _jit(facts),
        _compiler(facts),
        _memlock(facts),
        *_foreign(facts),
    )


def healthy(found: Iterable[Check]) -> bool:
    """Whether nothing is missing that everything needs."""
    return all(check.grade is not Grade.MISSING for check in found)


def _kernel(facts: Facts) -> Check:
    version = facts.host.kernel
    if version < OLDEST_KERNEL:
        return Check(
            name="kernel", grade=Grade.MISSING, found=facts.release, fix="use Linux 5.15 or later"
        )
    if version < FRAGS_KERNEL:
        words = "frames in several buffers need 5.18: no jumbo frames with native XDP"
        return Check(name="kernel", grade=Grade.LACKING, found=facts.release, fix=words)
    if version < FEATURES_KERNEL:
        words = "drivers tell what they can do from 6.3 on: targets cannot be checked beforehand"
        return Check(name="kernel", grade=Grade.NOTE, found=facts.release, fix=words)
    return Check(name="kernel", grade=Grade.OK, found=facts.release)


def _capabilities(facts: Facts) -> Iterator[Check]:
    for name in ("CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"):
        held = facts.capabilities >> CAPABILITIES[name] & 1
        if held:
            yield Check(name=name, grade=Grade.OK, found="held")
        else:
            yield Check(
                name=name,
                grade=Grade.MISSING,
                found="not held",
                fix=f"run as root (`sudo`), or with AmbientCapabilities={name}",
            )
    if not facts.capabilities >> CAPABILITIES["CAP_SYS_ADMIN"] & 1:
        yield Check(
            name="CAP_SYS_ADMIN",
            grade=Grade.NOTE,
            found="not held",
            fix="only needed to name foreign programs; their ids are shown without it",
        )


def _mount(facts: Facts) -> Check:
    if facts.bpffs_mounted:
        return Check(name="bpffs", grade=Grade.OK, found=facts.bpffs)
    return Check(
        name="bpffs",
        grade=Grade.MISSING,
        found=f"{facts.bpffs} is not in a bpffs",
        fix="`mount -t bpf bpf /sys/fs/bpf`",
    )


def _tracing(facts: Facts) -> Check:
    if facts.tracefs_mounted:
        return Check(name="tracefs", grade=Grade.OK, found="/sys/kernel/tracing")
    return Check(
        name="tracefs",
        grade=Grade.LACKING,
        found="not mounted",
        fix="`mount -t tracefs tracefs /sys/kernel/tracing`; "
        "without it lost frames are not explained",
    )


def _present(name: str, there: bool, path: str, fix: str) -> Check:
    if there:
        return Check(name=name, grade=Grade.OK, found=path)
    return Check(name=name, grade=Grade.LACKING, found=f"{path} is missing", fix=fix)


def _jit(facts: Facts) -> Check:
    if facts.jit in ("1", "2"):
        return Check(name="BPF JIT", grade=Grade.OK, found="on")
    if not facts.jit:
        # Only the first network namespace has the setting, and only root reads it.
        return Check(
            name="BPF JIT", grade=Grade.NOTE, found="not visible in this network namespace"
        )
    return Check(
        name="BPF JIT",
        grade=Grade.LACKING,
        found="off",
        fix="`sysctl -w net.core.bpf_jit_enable=1`; programs are interpreted, which is "
        "several times slower",
    )


def _compiler(facts: Facts) -> Check:
    if not facts.compiler:
        return Check(
            name="compiler",
            grade=Grade.OK,
            found=f"bcc {facts.compiler_version}, {facts.compiler_python}",
        )
    return Check(
        name="compiler",
        grade=Grade.MISSING,
        found=facts.compiler,
        fix="`apt install python3-bpfcc`, or name the interpreter that has it: "
        "`--compiler-python FILE`",
    )


def _memlock(facts: Facts) -> Check:
    if facts.host.kernel >= (5, 11):
        return Check(name="memory for maps", grade=Grade.OK, found="counted by cgroup, no limit")
    if facts.memlock < 0 or facts.memlock >= MEMLOCK_WANTED:
        return Check(name="memory for maps", grade=Grade.OK, found="limit is high enough")
    return Check(
        name="memory for maps",
        grade=Grade.LACKING,
        found=f"locked memory is limited to {facts.memlock >> 10} KiB",
        fix="`ulimit -l unlimited`, or LimitMEMLOCK=infinity in the systemd unit",
    )


def _foreign(facts: Facts) -> Iterator[Check]:
    for link in facts.host.links:
        if link.ifindex in facts.foreign:
            name = facts.foreign[link.ifindex]
            mode = "xdpgeneric" if link.xdp_mode is XdpMode.GENERIC else "xdp"
            yield Check(
                name=f"hook of {link.name}",
                grade=Grade.NOTE,
                found=f"program {link.xdp_prog_id} ({name or 'unnamed'}) is not ours",
                fix=f"objects that select {link.name} fail until its owner detaches it; if nobody "
                f"owns it: `ip link set dev {link.name} {mode} off`",
            )


def abilities(link: Link) -> dict[str, bool | None]:
    """What the driver says about XDP; None where the kernel does not tell."""
    features = link.features
    wanted = {
        "native": XdpFeatures.BASIC,
        "redirect": XdpFeatures.REDIRECT,
        "target": XdpFeatures.NDO_XMIT,
        "frags": XdpFeatures.RX_SG,
        "targetFrags": XdpFeatures.NDO_XMIT_SG,
        "zeroCopy": XdpFeatures.XSK_ZEROCOPY,
    }
    if features is None:
        return dict.fromkeys(wanted)
    return {name: bool(features & bit) for name, bit in wanted.items()}


def advice(link: Link) -> str:
    """What to do when a link cannot be a target; empty when it can, or nothing is known."""
    able = abilities(link)
    if able["target"] is not False or not link.driver:
        return ""
    if link.kind == "veth":
        return (
            f"{link.name} takes no redirected frames until its peer has GRO on or an XDP program: "
            "in the peer's namespace, `ethtool -K PEER gro on`"
        )
    if able["native"] is False:
        return f"{link.name} has no native XDP: use `mode: Auto` there"
    return (
        f"{link.name} takes no redirected frames now; many drivers do once a program is attached: "
        "let an object select it as well, or set `prepare: Apply`"
    )
