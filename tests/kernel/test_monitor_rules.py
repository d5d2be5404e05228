"""`xdpredirect monitor` over real rules and real traffic: every frame of the interval, and no
other, in the column where it belongs."""

import json
import os
from pathlib import Path

from tests.kernel.lab import Lab
from tests.kernel.monitoring import monitor, once
from tests.kernel.switch import CATCH_ALL, redirect, rule, switch, to_port, udp

N = 1000
TO_P1 = "{type: Device, device: {name: p1}}"
TO_P2 = "{type: Device, device: {name: p2}}"
THREE_RULES = (
    rule("dns", to_port(53), TO_P1),
    rule("web", to_port(80), TO_P2),
    rule("bots", to_port(666), "{type: Drop}"),
)


def test_frames_of_the_interval_by_rule(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(redirect(*THREE_RULES))
        s.deliver([udp(53)] * 70, p1=70)  # Before the interval: in no count.

        def traffic() -> None:
            s.deliver(
                [udp(53)] * N + [udp(80)] * 30 + [udp(666)] * 5 + [udp(1)], p1=N, p2=30, stack=1
            )

        value = once(s.dut, traffic=traffic)
    (item,) = value["interfaces"]
    rules = {r["rule"]: r for r in item["rules"]}
    assert {name: (r["matched"], r["redirected"], r["lost"]) for name, r in rules.items()} == {
        "dns": (N, N, 0),
        "web": (30, 30, 0),
        "bots": (5, 0, 0),
    }
    assert rules["dns"]["octets"] == N * len(udp(53))
    assert sum(rules["dns"]["cpus"]) == N
    assert len(rules["dns"]["cpus"]) == os.sysconf("SC_NPROCESSORS_CONF")
    assert item["unmatched"] == {"packets": 1, "octets": len(udp(1))}
    assert (item["name"], item["mode"], item["lost"]) == ("in", "Native", 0)
    assert value["losses"] == []


def test_lost_frames_are_named_with_their_reason(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(redirect(*THREE_RULES))
        s.far["p2"].host.ip("link", "set", "p2", "down")

        def traffic() -> None:
            with s.far["p1"].counter() as arrived:
                s.far["in"].send([udp(53)] * 50 + [udp(80)] * N)
                arrived.exactly(50)

        value = once(s.dut, traffic=traffic)
    (item,) = value["interfaces"]
    rules = {r["rule"]: r for r in item["rules"]}
    assert (rules["web"]["matched"], rules["web"]["redirected"], rules["web"]["lost"]) == (N, 0, N)
    assert (rules["dns"]["redirected"], rules["dns"]["lost"], item["lost"]) == (50, 0, N)
    (loss,) = value["losses"]
    assert (loss["object"], loss["rule"], loss["packets"]) == ("o", "web", N)
    assert (loss["interface"], loss["target"], loss["errno"]) == ("in", "p2", "ENXIO")
    assert loss["reason"]
    assert "p2" in loss["hint"]


def test_only_the_objects_that_were_asked_for(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(redirect(rule("dns", to_port(53), TO_P1), name="a"))
        s.apply(redirect(rule("rest", CATCH_ALL, TO_P2), name="b"))
        value = once(s.dut, "b", traffic=lambda: s.deliver([udp(53), udp(1)], p1=1, p2=1))
        (item,) = value["interfaces"]
        assert [(r["object"], r["matched"]) for r in item["rules"]] == [("b", 1)]


def test_a_recording_shows_what_was_shown(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "monitor.jsonl"
    with switch(lab, "Native") as s:
        s.apply(redirect(*THREE_RULES))
        words = ("--rounds", "3", "--record", str(file))
        shown = monitor(s.dut, *words, traffic=lambda: s.deliver([udp(53)] * 10, p1=10))
        replayed = monitor(s.dut, "--replay", str(file), "--speed", "0")
    assert replayed == shown
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert (lines[0]["kernel"], lines[0]["recording"]) == (os.uname().release, 1)
    assert [line["interfaces"][0]["rules"][0]["matched"] for line in lines[1:]] == [10, 10, 10]
