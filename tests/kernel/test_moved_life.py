"""What becomes of a moved device, its program and its sockets: agents that die, clients that end,
devices that come back or are deleted, objects that change or go."""

import json
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.handing import STATUS, frames, held, report, sockets, taken, thing
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.moving import AS_IN_THE_CHART, OWN, Moving, interface, reasons
from tests.kernel.switch import CATCH_ALL, INGRESS, redirect, rule, to_port, udp
from xdpredirect.xsk.own import Own, bring

N = 20
RING = 2048
AS_ROOT = sockets("0", on_miss="Pass").replace("65534", "0")


@pytest.fixture
def moving(lab: Lab, tmp_path: Path) -> Moving:
    return Moving(lab, tmp_path / "wanted")


def to_the_stack(moving: Moving) -> None:
    """Frames of the device go to the stack of the pod, as if there were no rule."""
    with moving.own.counter() as stack:
        sent = frames(N)
        moving.far.send(sent)
        assert stack.wait(N) == sent


def program_in_pod(moving: Moving) -> dict[str, Any]:
    """That of the device, as the pod sees it; empty without one."""
    (link,) = json.loads(moving.pod.ip("-j", "link", "show", OWN))
    found: dict[str, Any] = link.get("xdp", {})
    return found


def test_an_agent_that_is_killed_takes_no_frame_along(moving: Moving) -> None:
    moving.want(AS_ROOT)
    with ExitStack() as stack:
        agent = stack.enter_context(moving.agent())
        moving.serves()
        moving.move()
        with moving.pod.enter():
            xsk = stack.enter_context(bring(moving.socket.parent, INGRESS, Own(OWN)))
        until(lambda: bool(held(moving)), "the socket in the status")
        agent.kill()
        agent.wait(10)
        sent = frames(N)
        moving.far.send(sent[: N // 2])
        stack.enter_context(moving.agent())
        with moving.pod.enter():
            until(lambda: xsk.wait(0.1) and bool(held(moving)), "the client that brings it back")
        moving.far.send(sent[N // 2 :])
        assert [xsk.wait(60) and xsk.receive(1)[0] for _ in sent] == sent
        moving.is_away()
        (one,) = held(moving)
        assert (one["queue"], one["state"], one["mode"]) == (0, "Held", "Copy")


def test_the_end_of_a_client_empties_its_slot_and_the_next_may_come(moving: Moving) -> None:
    moving.want(sockets("0", on_miss="Pass"))
    with moving.agent():
        moving.serves()
        moving.move()
        with moving.bringer() as client:
            taken(client)
            until(lambda: bool(held(moving)), "the socket in the status")
            client.kill()
            client.wait(10)
            until(lambda: not held(moving), "its end")
        to_the_stack(moving)
        with moving.bringer() as client:
            taken(client)


def test_what_a_socket_lost_is_told_once(moving: Moving) -> None:
    moving.want(sockets("0"))
    with moving.agent():
        moving.serves()
        moving.move()
        with moving.bringer("--quiet") as client:
            taken(client)
            client.send_signal(signal.SIGSTOP)
            moving.far.send(frames(RING + 500))
            # A change, for a pass.
            moving.want(sockets("0", on_miss="Pass"))
            until(lambda: bool(thing(moving)["losses"]), "the losses")
            (one,) = held(moving)
            assert (one["fillRingEmpty"], one["ringFull"], one["dropped"]) == (500, 0, 0)
            client.send_signal(signal.SIGCONT)
        until(lambda: not held(moving), "the end of the socket")
        (loss,) = thing(moving)["losses"]
        found = loss["reason"], loss["rule"], loss["target"], loss["packets"]
        assert found == ("SocketFillRingEmpty", "r", "socket 0", 500)


def test_a_device_that_comes_back_is_as_if_it_never_left(moving: Moving) -> None:
    moving.want(sockets("0", on_miss="Pass"))
    with moving.agent():
        moving.serves()
        before = interface(moving)
        moving.move()
        with moving.bringer("--quiet") as client:
            taken(client)
            moving.move_back()
            output, _ = client.communicate(timeout=60)
        assert "Withdrawn" in output
        until(lambda: "InterfaceAway" not in reasons(moving), "the status of a device that is back")
        after = interface(moving)
        assert {k: after[k] for k in before if k != "rules"} == {
            k: before[k] for k in before if k != "rules"
        }
        with moving.receiver("--count", "3") as client:
            taken(client)
            moving.far.send(frames(3))
            assert client.wait(60) == 0
        counted = [r["counters"]["packets"] for r in interface(moving)["rules"]]
        assert counted == [3]


@pytest.mark.parametrize("mode", ["Native", "Generic"])
def test_an_object_that_is_deleted_leaves_nothing_in_the_pod(moving: Moving, mode: str) -> None:
    text = redirect(rule("r", CATCH_ALL, sockets("0"))).replace("MODE", mode)
    (moving.files / "o.yaml").write_text(text)
    with moving.agent(*AS_IN_THE_CHART):
        moving.serves()
        moving.move()
        with moving.bringer() as client:
            taken(client)
            moving.is_away()
            assert interface(moving)["mode"] == mode
            assert f"{mode}, away" in moving.dut.run(STATUS).stdout
            moving.far.send(frames(1))
            assert client.stdout is not None
            assert client.stdout.readline().split()[1] == frames(1)[0].hex()
            assert program_in_pod(moving)
            (moving.files / "o.yaml").unlink()
            output, _ = client.communicate(timeout=60)
        assert "Withdrawn" in output
        until(lambda: not program_in_pod(moving), "the end of the program")
        until(lambda: not moving.dut.pins(), "the end of what is pinned")
        to_the_stack(moving)


def test_state_detached_takes_the_program_off(moving: Moving) -> None:
    moving.want(sockets("0"))
    with moving.agent():
        moving.serves()
        moving.move()
        moving.is_away()
        text = (moving.files / "o.yaml").read_text()
        new = moving.files / ".o.yaml"
        new.write_text(text.replace("spec:", "spec:\n  state: Detached"))
        new.rename(moving.files / "o.yaml")
        until(lambda: not program_in_pod(moving), "the end of the program")
        until(lambda: "InterfaceAway" not in reasons(moving), "the status")


def test_a_device_that_is_deleted_in_the_pod_is_gone(moving: Moving) -> None:
    moving.want(sockets("0"))
    with moving.agent():
        moving.serves()
        moving.move()
        with moving.bringer() as client:
            taken(client)
            moving.is_away()
            moving.pod.ip("link", "delete", OWN)
            # Nobody tells the host of it.
            moving.want(sockets("0", on_miss="Pass"))
            output, _ = client.communicate(timeout=60)
        assert "Withdrawn" in output
        until(lambda: reasons(moving) == {"NoInterface"}, "the status of a device that is gone")
        assert not report(moving)["interfaces"]


def test_rules_that_change_change_there_too(moving: Moving) -> None:
    moving.want(AS_ROOT)
    with ExitStack() as stack:
        stack.enter_context(moving.agent(*AS_IN_THE_CHART))
        moving.serves()
        moving.move()
        with moving.pod.enter():
            xsk = stack.enter_context(bring(moving.socket.parent, INGRESS, Own(OWN)))
        before = interface(moving)["programId"]
        text = redirect(rule("r", to_port(9), AS_ROOT)).replace("MODE", "Native")
        (moving.files / "o.yaml").write_text(text)
        until(lambda: interface(moving)["programId"] != before, "another program")
        with moving.own.counter() as counter:
            moving.far.send([udp(7), udp(9), udp(7)])
            assert counter.wait(2) == [udp(7)] * 2
        until(partial(xsk.wait, 1), "the frame")
        assert xsk.receive() == [udp(9)]


def test_an_object_without_sockets_is_taken_off(moving: Moving) -> None:
    moving.want("{type: Drop}")
    with moving.agent():
        until(lambda: bool(moving.dut.pins()), "the first pass")
        until(lambda: bool(interface(moving)["programId"]), "the program")
        moving.move()
        until(lambda: not program_in_pod(moving), "the end of the program")
        to_the_stack(moving)
        moving.move_back()
        until(lambda: bool(report(moving)["interfaces"]), "the device")
        until(lambda: bool(interface(moving)["programId"]), "the program again")


def test_a_device_with_the_number_of_one_that_is_away_is_another_one(moving: Moving) -> None:
    """A device keeps its number where it goes, if that is free there."""
    moving.want(sockets("0"))
    with moving.agent():
        moving.serves()
        moving.move()
        moving.is_away()
        number = str(interface(moving)["ifindex"])
        assert f"{number}: " in moving.pod.ip("link", "show", OWN)
        moving.dut.ip("link", "add", "same", "index", number, "type", "veth", "peer", "peer")
        moving.want(sockets("0", on_miss="Pass"))
        with moving.bringer("--count", "1") as client:
            taken(client)
            moving.far.send(frames(1))
            assert client.wait(60) == 0
        assert (interface(moving)["name"], interface(moving)["away"]) == (INGRESS, True)
        assert not [pin for pin in moving.dut.pins() if "same" in pin]


def test_another_device_of_its_name_has_precedence(moving: Moving, lab: Lab) -> None:
    moving.want(sockets("0"))
    with moving.agent():
        moving.serves()
        moving.move()
        moving.is_away()
        lab.veth(("dut", INGRESS), ("far", "other"))
        until(lambda: "InterfaceAway" not in reasons(moving), "the status of the other one")
        until(lambda: not program_in_pod(moving), "the end of the program in the pod")
        until(lambda: bool(interface(moving)["programId"]), "the program of the other one")
