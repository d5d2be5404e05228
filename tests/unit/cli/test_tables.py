"""What a terminal of 80 columns shows, to the letter."""

import json
from dataclasses import replace

import pytest
import yaml
from rich.console import Console

from tests.unit.cli.machines import Shell
from tests.unit.cli.samples import busy, finding, interface, rule, socket, thing
from xdpredirect.agent.report import Report, Severity, SocketState
from xdpredirect.cli.console import THEME
from xdpredirect.cli.socket_tables import socket_parts
from xdpredirect.cli.status import rates
from xdpredirect.cli.tables import report_parts
from xdpredirect.host import XdpMode

GOLDEN = """\
OBJECTS
NAME      READY           GEN INTERFACES   REDIRECTED PASSED   DROPPED      LOST
edge      ! Redirecting     3 ens1f0,          1.83 T    331 1,204,551 1,205,363
                              ens1f1
scrubbing ✗ Conflicted      1 ens1f0                0      0         0         0
tap       … Progressing 11→12 veth-mirror       4,410      0         0         0

INTERFACES
NAME        DRIVER MODE    FRAGS PROGRAM UNMATCHED PROTECTED MALFORMED
ens1f0      ice    Native  yes       812    20,311       318         2
ens1f1      ice    Native  yes       812    20,311       318         2
veth-mirror veth   Generic yes       812    20,311       318         2

RULES
RULE            ACTION AND TARGETS                        PACKETS   BYTES MISSES
ens1f0
  edge/dns      CPUs cpu 2-5                           48,120,993 4.33 GB      0
  edge/bots     Drop                                    1,204,551 77.0 MB      0
  edge/uplink   Device ens1f1                   1,834,221,094,112 1.20 PB     12
  edge/per-vlan DeviceTable vlan 200→veth200,               9,412 1.33 MB      3
                vlan 201→veth201, and 3 more
  edge/ssh      Pass                                          331 40.1 kB      0
ens1f1
  edge/dns      CPUs cpu 2-5                           48,120,993 4.33 GB      0
veth-mirror
  tap/flood     Broadcast tap0, tap1                        4,410  265 kB      0
  tap/rest      DeviceGroup scrub0, scrub1                      0     0 B      0

LOSSES
REASON       OBJECT/RULE FROM AND TO       LOST PKT/S SINCE
TargetDown   edge/to-b   ens1f0→eth2  1,204,551   340 01-02 03:04
CpuQueueFull edge/to-b   ens1f0→cpu 3       812     0 01-02 03:04
 ✗ TargetDown (ENETDOWN)
   eth2 is down. Set it up: ip link set eth2 up.
 ✗ CpuQueueFull
   The queue of cpu 3 is full: it gets more frames than it can work off. Add
   CPUs to the rule, raise cpus.queueSize (up to 16384), and keep other work off
   cpu 3.

FINDINGS
 ✗ Conflicted  scrubbing on ens1f0
   ens1f0 carries edge with mode Native and scrubbing wants Generic. Give both
   the same mode, or select other interfaces.
 ! PartialChecksums  edge on ens1f1
   The peer of eth2 leaves checksums unfinished and XDP forwards them so: UDP
   and TCP are lost. Run ethtool -K veth-peer tx off in the sender's namespace.
"""


def test_status_of_a_busy_machine(shell: Shell) -> None:
    shell.machine.reports = [busy()]
    typed = shell.type("status")
    assert typed.out == GOLDEN
    assert typed.code == 0
    assert max(map(len, typed.out.splitlines())) <= 80


def test_status_of_one_object(shell: Shell) -> None:
    shell.machine.reports = [busy()]
    typed = shell.type("status", "tap")
    assert "veth-mirror" in typed.out
    assert "ens1f0" not in typed.out
    assert shell.type("status", "edge").out.count("edge/dns") == 2


def test_status_of_nothing(shell: Shell) -> None:
    shell.machine.reports = [Report(objects=(), interfaces=())]
    assert shell.type("status").out == "No objects. Apply one: xdpredirect apply -f FILE\n"


def test_an_interface_that_failed_is_a_finding_and_a_failure(shell: Shell) -> None:
    words = "attach to ens1f0: EBUSY (Device or resource busy): program 12 (lb) holds the hook"
    report = Report(
        objects=(thing(interfaces=(), applied=0, failed=("ens1f0",)),),
        interfaces=(interface("ens1f0", mode=XdpMode.NONE, error=words),),
    )
    shell.machine.reports = [report]
    typed = shell.type("status")
    assert typed.code == 1
    assert " ✗ ApplyFailed  edge on ens1f0\n" in typed.out
    assert "ens1f0 ice    none –           – " in typed.out
    assert "edge ✗ ApplyFailed 0→3 ens1f0" in typed.out


def test_a_broken_file_of_the_directory_is_said(shell: Shell) -> None:
    shell.store.put([])
    (shell.store.objects_dir / "xdpredirect.edge.json").write_text("{")
    typed = shell.type("status")
    assert typed.code == 1
    assert typed.err.startswith(f"error: {shell.store.objects_dir}/xdpredirect.edge.json: ")


def test_for_programs(shell: Shell) -> None:
    shell.machine.reports = [busy()]
    value = json.loads(shell.type("status", "-o", "json").out)
    assert value == yaml.safe_load(shell.type("status", "-o", "yaml").out)
    assert list(value) == ["time", "report", "statuses", "problems"]
    (uplink,) = (r for r in value["report"]["interfaces"][0]["rules"] if r["rule"] == "uplink")
    assert uplink["counters"]["octets"] == 1_200_331_224_001_331
    assert value["statuses"]["edge"]["conditions"][0]["reason"] == "Redirecting"


def test_watching_shows_packets_a_second(shell: Shell) -> None:
    def at(packets: int) -> Report:
        rules = (rule("edge", "dns", "Drop", (), packets, 60 * packets),)
        return Report(
            objects=(thing(interfaces=("veth0",)),), interfaces=(interface("veth0", rules=rules),)
        )

    shell.machine.reports = [at(1000), at(5000), at(4000)]
    typed = shell.type("status", "--watch", "--interval", "2", "--rounds", "3")
    assert typed.code == 0
    shown = [line.split()[-1] for line in typed.out.splitlines() if "edge/dns" in line]
    # First look: nothing to compare with. Third: the counters began again, no rate is known.
    assert shown == ["–", "2,000", "–"]
    assert typed.out.count("2026-01-02T03:04:05Z") == 3
    assert shell.seconds == 4


def test_watching_for_programs_prints_a_document_a_look(shell: Shell) -> None:
    shell.machine.reports = [busy()]
    typed = shell.type("status", "--watch", "--rounds", "2", "-o", "yaml")
    assert typed.out.count("problems: []") == 2


def test_rates_need_two_looks_at_the_same_rule() -> None:
    assert rates(None, (1.0, busy())) == {}
    same = rates((1.0, busy()), (1.0, busy()))
    assert set(same.values()) == {"–"}
    assert rates((1.0, Report(objects=(), interfaces=())), (2.0, busy())) == {}


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_number_is_ever_cut_or_wrapped(width: int) -> None:
    console = Console(theme=THEME, width=max(width, 80), highlight=False)
    with console.capture() as capture:
        for part in report_parts(busy(), width, {("ens1f0", "edge", "uplink"): "14,880,952"}):
            console.print(part)
    redirected = "1,834,317,345,495" if width >= 100 else "1.83 T"
    for number in (redirected, "1,834,221,094,112", "14,880,952", "1.20 PB", "1,205,363"):
        assert number in capture.get()


@pytest.mark.parametrize("width", [80, 120])
def test_sockets_are_a_table_where_there_are_some(width: int) -> None:
    held, left = socket(0, lost=1_234_567), socket(1, SocketState.RELEASING)
    console = Console(theme=THEME, width=width, highlight=False)
    with console.capture() as capture:
        for part in socket_parts(
            Report(objects=(thing(sockets=(held, left)),), interfaces=()), width
        ):
            console.print(part)
    _, title, names, *rows = capture.get().splitlines()
    assert title == "SOCKETS"
    assert names.split()[:4] == ["OBJECT/RULE", "QUEUE", "MODE", "HOLDER"]
    text = " ".join(" ".join(rows).split())
    for words in ("edge/capture", "ens1f0 0", "ZeroCopy", "4711", "Releasing"):
        assert words in text
    assert text.count("1,234,567") == 3
    assert socket_parts(busy(), width) == []


def test_colour_only_for_a_terminal(shell: Shell) -> None:
    shell.machine.reports = [busy()]
    assert "\x1b" not in shell.type("status").out


def test_findings_stand_worst_first() -> None:
    report = Report(
        objects=(
            thing(
                findings=(
                    finding(Severity.INFO, reason="Note"),
                    finding(Severity.DEGRADED, reason="Risk"),
                    finding(Severity.STALLED, reason="Stop"),
                )
            ),
        ),
        interfaces=(),
    )
    console = Console(theme=THEME, width=80)
    with console.capture() as capture:
        for part in report_parts(report, 80):
            console.print(part)
    text = capture.get()
    assert text.index("Stop") < text.index("Risk") < text.index("Note")


def test_errors_are_a_column_only_where_there_are_some() -> None:
    bare = replace(busy(), interfaces=(interface("x", rules=(rule("edge", "a", "TX", (), 1),)),))
    bad = replace(
        bare, interfaces=(interface("x", rules=(rule("edge", "a", "TX", (), 1, 60, 0, 9),)),)
    )
    texts = []
    for report in (bare, bad):
        console = Console(theme=THEME, width=80)
        with console.capture() as capture:
            for part in report_parts(report, 80):
                console.print(part)
        texts.append(capture.get())
    assert ["ERRORS" in text for text in texts] == [False, True]
    assert ["MISSES" in text for text in texts] == [False, False]
