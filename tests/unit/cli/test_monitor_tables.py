"""What `monitor` shows on a terminal of 80 columns, to the letter."""

import pytest
from rich.console import Console, RenderableType

from tests.unit.cli.monitor_samples import TIME, busy, machine
from xdpredirect.agent.rates import ObjectInterval, per_second
from xdpredirect.cli.console import THEME
from xdpredirect.cli.monitor_events import host_parts
from xdpredirect.cli.monitor_tables import cpu_bars, interval_parts

OBJECTS = """\
2026-01-02T03:04:05Z  over 2.0 s

INTERFACE AND RULE    FRAMES/S REDIRECTED/S LOST/S  BIT/S CPUS
ens1f0 native       14,954,313   14,942,705  1,300 7.65 G
  edge/dns              63,000       63,000      0 24.0 M ▆█▇▇█▆█▇ 3%
  edge/bots                200            0      0  160 k ▃█ 75%
  edge/uplink       14,880,952   14,879,702  1,250 7.62 G █· 100%
  edge/per-vlan              5            3      0 2.56 k ██ 50%
    no entry                 2
  edge/ssh                   0            0      0      0 ··
  unmatched             10,156                     7.60 M
  protected                  1                        240
veth-mirror generic          0            0      0      0
  tap/flood                  0            0      0      0 ··
  unmatched                  0                          0

LOST
 ✗ TargetDown ENETDOWN  edge/uplink  ens1f0 → ens1f1  1,200/s
   ens1f1 is down. Bring it up: ip link set ens1f1 up.
 ✗ FrameTooBig EMSGSIZE  edge/uplink  ens1f0 → ens1f1  50/s
   Frames are longer than the MTU of ens1f1 allows. Raise it: ip link set ens1f1
   mtu 9000.
 ✗ TargetDown ENETDOWN  edge  ens1f0 → ens1f2  50/s
"""
MACHINE = """\
2026-01-02T03:04:05Z  over 1.0 s

TRACEPOINTS
NAME               EVENTS/S FRAMES/S LOST/S
xdp_redirect_err      1,207           1,207
xdp_exception             2               2
xdp_devmap_xmit         104    1,616     48
xdp_bulk_tx               1        8      0
xdp_cpumap_enqueue       10       80      5
xdp_cpumap_kthread       11       75      5
mem_connect               2               0

REFUSED  xdp_redirect_err xdp_redirect_map_err xdp_exception
ERROR             PROGRAM    MAP AND KEY FROM → TO   FRAMES/S
ENETDOWN          lb 71      ports[3] 9  eth0 → eth1    1,200
EOPNOTSUPP        program 72 ifindex 5   p1@blue            7
ABORTED (verdict) lb 71                  eth0               2

SENT TO DEVICES  xdp_devmap_xmit
FROM → TO   ERROR SENT/S LOST/S BULK
eth0 → eth1 ENXIO     16     48 16.0
eth0 → eth2 –      1,600      0 16.0

SENT BACK  xdp_bulk_tx
DEVICE ERROR SENT/S LOST/S BULK
eth3   –          8      0  8.0

HANDED TO CPUS  xdp_cpumap_enqueue
MAP     FROM → TO     FRAMES/S LOST/S BULK
cpus 12 cpu 0 → cpu 3       80      5  8.0

TAKEN BY CPUS  xdp_cpumap_kthread
MAP     CPU   FRAMES/S LOST/S PASS/S DROP/S REDIR/S SCHED/S BULK
cpus 12 cpu 3       75      0     70      5       0       3  7.5

3 events more: too many different ones to tell apart
"""


def shown(parts: list[RenderableType], width: int = 80) -> str:
    console = Console(theme=THEME, width=width, highlight=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def test_objects_of_a_busy_machine() -> None:
    text = shown(interval_parts(busy(), 80))
    assert text == OBJECTS
    assert max(map(len, text.splitlines())) <= 80


def test_all_programs_of_a_machine() -> None:
    text = shown(host_parts(machine()))
    assert text == MACHINE
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 109, 110, 200])
def test_actions_stand_there_where_there_is_room(width: int) -> None:
    text = shown(interval_parts(busy(), width), width)
    assert ("ACTION AND TARGETS" in text) == ("CPUs cpu 2-3" in text) == (width >= 110)
    for number in ("14,954,313", "14,879,702", "7.62 G"):
        assert number in text


def test_nothing_to_see() -> None:
    text = shown(interval_parts(ObjectInterval(time=TIME, seconds=1, interfaces=(), losses=()), 80))
    assert text.endswith("No object runs on an interface of this machine.\n")


@pytest.mark.parametrize(
    ("packets", "bars"),
    [
        ((), ""),
        ((0, 0), "··"),
        ((1, 0), "█· 100%"),
        ((4, 1, 2, 4), "█▂▄█ 36%"),
        ((1,) * 16, "████████ 6%"),
        ((0,) * 9 + (1,), "····█ 100%"),
        ((1_000_000, 1), "█▁ 100%"),
    ],
)
def test_a_bar_for_each_cpu(packets: tuple[int, ...], bars: str) -> None:
    assert cpu_bars(packets).plain == bars


def test_what_is_there_is_never_nothing() -> None:
    assert [per_second(n, 10.0) for n in (0, 1, 4, 16, 100)] == [0, 1, 1, 2, 10]
    assert per_second(5, 0) == 0
