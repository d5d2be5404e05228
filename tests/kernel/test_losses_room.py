"""The drop monitor's map of causes: who may fill it, and what is said when it is full."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.kernel.bytecode import redirect_map
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene, id_of, monopoly
from tests.kernel.switch import Switch, switch
from tests.kernel.test_losses_status import FRAMES, TO_P1, N
from xdpredirect.agent.rates import Look, interval
from xdpredirect.agent.report import Report
from xdpredirect.datapath.abi import U32, Event, LossKey
from xdpredirect.kernel.maps import Map, open_map
from xdpredirect.kernel.tracer import CAUSES, KEY, SLOT, SLOTS, read_losses

CPU, QSIZE = 1, 64


@contextmanager
def losses_maps(s: Switch) -> Iterator[tuple[Map, Map]]:
    """The causes of the installed monitor: those that share a map and those with a slot."""
    (path,) = (s.settings.bpffs / "monitor").glob("*/losses")
    with open_map(path) as losses, open_map(path.with_name("slots")) as slots:
        yield losses, slots


def fill(losses: Map, slots: Map) -> None:
    """Leave no room for another cause."""
    value = (1).to_bytes(8, "little").ljust(losses.value_octets, b"\0")
    for number in range(CAUSES):
        key = LossKey(Event.REDIRECT_ERR, 1 << 30, 0, number, 1 << 30, 0, 1)
        losses.put(KEY.pack(*key), value)
    taken = SLOT.pack(1, Event.REDIRECT_ERR, 1 << 30, 0, CAUSES, 1 << 30, 0, 1)
    for number in range(SLOTS.max_entries):
        slots.put(U32.pack(number), taken * (slots.value_octets // SLOT.size))


def report(s: Switch) -> Report:
    with s.dut.enter():
        return s.fresh().observe_report()


def incomplete(found: Report) -> list[str]:
    """What the findings of objects say about it."""
    findings = [finding for item in found.objects for finding in item.findings]
    return [finding.message for finding in findings if finding.reason == "LossesIncomplete"]


def test_a_full_map_is_said_and_its_frames_are_counted(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(TO_P1)
        with losses_maps(s) as maps:
            fill(*maps)
        s.dut.ip("link", "set", "p1", "down")
        before = report(s)
        s.far["in"].send(FRAMES)
        s.deliver([])
        found = report(s)
        (loss,) = found.shared
        assert (loss.reason, loss.packets) == ("TooManyCauses", N)
        assert f"{CAUSES:,}" in loss.hint
        assert "`rm -r " in loss.hint
        looks = Look(at=0, report=before, cpus={}), Look(at=1, report=found, cpus={})
        (shown,) = interval(*looks, "").losses
        assert (shown.reason, shown.packets, shown.hint) == (loss.reason, N, loss.hint)
        (said,) = incomplete(found)
        assert said.startswith(f"{N:,} lost frames ")
        _emptied(s)


def _emptied(s: Switch) -> None:
    """As the hint says."""
    s.converge()
    for path in (s.settings.bpffs / "monitor").glob("*/*"):
        path.unlink()
    s.converge()
    s.far["in"].send(FRAMES)
    s.deliver([])
    found = report(s)
    assert incomplete(found) == []
    (loss,) = found.objects[0].losses
    assert (loss.reason, loss.packets) == ("TargetDown", N)
    assert [loss.packets for loss in found.shared] == [N]


def test_cpu_maps_of_others_do_not_stay_in_the_map(lab: Lab) -> None:
    """Their events name no device, so those of other namespaces are counted as well."""
    with switch(lab, "Native") as s, ExitStack() as stack:
        s.apply(TO_P1)
        s.dut.ip("link", "set", "p1", "down")
        s.far["in"].send(FRAMES)
        s.deliver([])
        other = Scene(stack.enter_context(Lab()), stack, monitor=False)
        cpus = other.cpus(CPU, QSIZE)
        other.run(redirect_map(cpus.fd, CPU))
        with monopoly(CPU):
            other.source.send([other.frame()] * N)
        with losses_maps(s) as maps:
            counted = read_losses(*maps)
            key = LossKey(Event.CPUMAP_ENQUEUE, 0, id_of(cpus), 0, 0, CPU, 0)
            assert counted[key] == N - QSIZE
            s.converge()
            assert read_losses(*maps) == {k: n for k, n in counted.items() if k != key}
        (loss,) = report(s).objects[0].losses
        assert (loss.reason, loss.packets) == ("TargetDown", N)
