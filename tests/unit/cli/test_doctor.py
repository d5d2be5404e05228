"""The doctor: every shortcoming by itself, with its fix, and what it reads from a machine."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cli.machines import Shell
from xdpredirect.cli import facts as facts_module
from xdpredirect.cli.checks import Facts, Grade, abilities, advice, checks, healthy
from xdpredirect.cli.facts import effective, inside, mount_types, our_programs, probe_compiler
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

ALL = XdpFeatures(127)
NIC = Link(ifindex=2, name="ens1f0", driver="ice", features=ALL)
PEERLESS = Link(
    ifindex=3,
    name="veth0",
    kind="veth",
    driver="veth",
    features=XdpFeatures.BASIC | XdpFeatures.REDIRECT | XdpFeatures.RX_SG,
)
GOOD = Facts(
    host=Host(links=(Link(ifindex=1, name="lo"), NIC, PEERLESS), kernel=(6, 18)),
    release="6.18.44",
    capabilities=(1 << 12) | (1 << 21) | (1 << 38) | (1 << 39),
    bpffs="/sys/fs/bpf/xdpredirect",
    bpffs_mounted=True,
    tracefs_mounted=True,
    btf=True,
    jit="1",
    compiler_python="/usr/bin/python3",
    compiler="",
    compiler_version="0.26.0",
    memlock=-1,
    foreign={},
)


def test_a_good_machine_has_nothing_to_mend() -> None:
    found = checks(GOOD)
    assert {check.grade for check in found} == {Grade.OK}
    assert not any(check.fix for check in found)
    assert healthy(found)


@pytest.mark.parametrize(
    ("worse", "name", "grade", "fix"),
    [
        (replace(GOOD, host=Host(kernel=(5, 10))), "kernel", Grade.MISSING, "5.15 or later"),
        (replace(GOOD, host=Host(kernel=(5, 15))), "kernel", Grade.LACKING, "need 5.18"),
        (replace(GOOD, host=Host(kernel=(6, 1))), "kernel", Grade.NOTE, "from 6.3 on"),
        (replace(GOOD, capabilities=0), "CAP_BPF", Grade.MISSING, "run as root (`sudo`)"),
        (replace(GOOD, capabilities=0), "CAP_NET_ADMIN", Grade.MISSING, "=CAP_NET_ADMIN"),
        (replace(GOOD, capabilities=0), "CAP_PERFMON", Grade.MISSING, "=CAP_PERFMON"),
        (replace(GOOD, capabilities=0), "CAP_SYS_ADMIN", Grade.NOTE, "name foreign programs"),
        (replace(GOOD, bpffs_mounted=False), "bpffs", Grade.MISSING, "`mount -t bpf bpf "),
        (replace(GOOD, tracefs_mounted=False), "tracefs", Grade.LACKING, "`mount -t tracefs"),
        (replace(GOOD, btf=False), "BTF", Grade.LACKING, "CONFIG_DEBUG_INFO_BTF"),
        (replace(GOOD, jit="0"), "BPF JIT", Grade.LACKING, "net.core.bpf_jit_enable=1"),
        (replace(GOOD, jit=""), "BPF JIT", Grade.NOTE, ""),
        (replace(GOOD, compiler="no bcc"), "compiler", Grade.MISSING, "apt install python3-bpfcc"),
        (
            replace(GOOD, host=Host(kernel=(5, 10)), memlock=65536),
            "memory for maps",
            Grade.LACKING,
            "`ulimit -l unlimited`",
        ),
        (
            replace(GOOD, foreign={2: "lb"}),
            "hook of ens1f0",
            Grade.NOTE,
            "`ip link set dev ens1f0 xdp off`",
        ),
    ],
)
def test_every_shortcoming_has_its_fix(worse: Facts, name: str, grade: Grade, fix: str) -> None:
    (check,) = (check for check in checks(worse) if check.name == name)
    assert check.grade is grade
    assert fix in check.fix
    assert healthy(checks(worse)) or any(c.grade is Grade.MISSING for c in checks(worse))


def test_only_what_is_missing_makes_a_machine_unfit() -> None:
    limits = replace(GOOD, btf=False, jit="0", tracefs_mounted=False, foreign={2: "lb"})
    assert healthy(checks(limits))
    assert not healthy(checks(replace(GOOD, compiler="no bcc")))


def test_a_generic_foreign_program_goes_by_its_own_command() -> None:
    link = replace(NIC, xdp_mode=XdpMode.GENERIC, xdp_prog_id=9)
    found = checks(replace(GOOD, host=replace(GOOD.host, links=(link,)), foreign={2: ""}))
    assert found[-1].found == "program 9 (unnamed) is not ours"
    assert "`ip link set dev ens1f0 xdpgeneric off`" in found[-1].fix


def test_what_a_driver_can_do() -> None:
    assert set(abilities(NIC).values()) == {True}
    assert abilities(PEERLESS) == {
        "native": True,
        "redirect": True,
        "target": False,
        "frags": True,
        "targetFrags": False,
        "zeroCopy": False,
    }
    assert set(abilities(replace(NIC, features=None)).values()) == {None}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (NIC, ""),
        (replace(NIC, features=None), ""),
        (PEERLESS, "until its peer has GRO on or an XDP program"),
        (replace(NIC, features=XdpFeatures.BASIC), "many drivers do once a program is attached"),
        (replace(NIC, features=XdpFeatures(0)), "ens1f0 has no native XDP: use `mode: Auto`"),
    ],
)
def test_a_device_that_takes_no_frames_gets_advice(link: Link, words: str) -> None:
    assert words in advice(link)
    assert bool(words) == bool(advice(link))


GOLDEN = """\
MACHINE
✓  kernel           6.18.44
✓  CAP_BPF          held
✓  CAP_NET_ADMIN    held
✓  CAP_PERFMON      held
✗  bpffs            /sys/fs/bpf/xdpredirect is not in a bpffs
                    → mount -t bpf bpf /sys/fs/bpf
✓  tracefs          /sys/kernel/tracing
✓  BTF              /sys/kernel/btf/vmlinux
✓  BPF JIT          on
✓  compiler         bcc 0.26.0, /usr/bin/python3
✓  memory for maps  counted by cgroup, no limit

NETWORK DEVICES
NAME   DRIVER NATIVE REDIRECT TARGET FRAGS TX FRAGS ZERO-COPY XDP NOW
ens1f0 ice    yes    yes      yes    yes   yes      yes       –
veth0  veth   yes    yes      no     yes   no       no        –
 i veth0 takes no redirected frames until its peer has GRO on or an XDP program:
   in the peer's namespace, ethtool -K PEER gro on

Not ready: bpffs
"""


def test_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worse = replace(GOOD, bpffs_mounted=False)
    monkeypatch.setattr(facts_module, "gather", lambda _: worse)
    typed = Shell(tmp_path).type("doctor")
    assert (typed.code, typed.out) == (1, GOLDEN)
    value = json.loads(Shell(tmp_path).type("doctor", "-o", "json").out)
    assert value["ready"] is False
    (bpffs,) = (check for check in value["checks"] if check["grade"] == "missing")
    assert bpffs["fix"] == "mount -t bpf bpf /sys/fs/bpf"
    assert [device["name"] for device in value["devices"]] == ["ens1f0", "veth0"]


def test_this_machine_can_be_examined(tmp_path: Path) -> None:
    value = json.loads(Shell(tmp_path).type("doctor", "-o", "json").out)
    names = [check["name"] for check in value["checks"]]
    assert names[:4] == ["kernel", "CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]


def test_capabilities_are_read_as_the_kernel_writes_them() -> None:
    assert effective("Name:\tx\nCapEff:\t000000c000001000\n") == (1 << 39) | (1 << 38) | (1 << 12)


MOUNTS = mount_types(
    "sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\ntmpfs /my\\040dir tmpfs rw 0 0\n"
)


@pytest.mark.parametrize(
    ("path", "mounted"),
    [
        ("/sys/fs/bpf/xdpredirect", True),
        ("/sys/fs/bpf", True),
        ("/sys/fs/other", False),
        ("/elsewhere/bpf", False),
        ("/my dir/bpf", False),
    ],
)
def test_a_directory_lies_in_the_nearest_mount(path: str, mounted: bool) -> None:
    assert inside(Path(path), "bpf", MOUNTS) is mounted


def test_the_compiler_is_tried_and_its_words_are_kept(tmp_path: Path) -> None:
    missing, _ = probe_compiler(str(tmp_path / "python9"))
    assert missing.startswith(f"{tmp_path}/python9 does not run: ")
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho trace >&2\necho "ImportError: no bcc" >&2\nexit 1\n')
    fake.chmod(0o755)
    assert probe_compiler(str(fake)) == (f"{fake} cannot import bcc: ImportError: no bcc", "")
    fake.write_text("#!/bin/sh\necho 0.26.0\n")
    assert probe_compiler(str(fake)) == ("", "0.26.0")
    complaint, version = probe_compiler(sys.executable)
    assert bool(complaint) != bool(version)


def test_no_directory_holds_no_programs(tmp_path: Path) -> None:
    assert our_programs(tmp_path / "nothing") == set()
