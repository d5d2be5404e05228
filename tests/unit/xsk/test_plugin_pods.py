"""The device plugin's protocol with pods: who waits for what, and what each of them is told."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.xsk.plugin import GRANT, Client, Maps, wait
from xdpredirect.xsk import door, plugin_connection
from xdpredirect.xsk.grants import Grant, Peer
from xdpredirect.xsk.plugin_server import PluginServer

A, B, NETNS = "6e1a0f1c-58c8-4f2e-9a51-00000000000a", "6e1a0f1c-58c8-4f2e-9a51-00000000000b", 7
FOR_PODS = replace(
    GRANT, users=frozenset(), pods=frozenset({A, B}), whole_map="plugin16_pod_", away=True
)
OF_A = replace(FOR_PODS, holder=A)
HELLO, ASK = b"/connect,pod-1", b"/xsk_map_fd,net1"


class Scene(NamedTuple):
    """A server whose clients are all of pod A, and who was told that it has something to do."""

    directory: Path
    maps: Maps
    server: PluginServer
    told: list[int]

    def client(self) -> Client:
        return Client(self.directory)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    def identify(_: object) -> tuple[Peer, int]:
        return Peer(os.getpid(), os.getuid(), A, NETNS), os.pidfd_open(os.getpid())

    monkeypatch.setattr(door, "identify", identify)
    maps, told = Maps(tmp_path / "map"), list[int]()
    maps.devices["eth0"] = "net1"
    server = PluginServer(tmp_path, maps, [OF_A], lambda: told.append(1))
    yield Scene(tmp_path, maps, server, told)
    assert server.is_alive()
    server.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is kept waiting for long."""
    monkeypatch.setattr(plugin_connection, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(plugin_connection, "IDLE_SECONDS", 0.2)


def test_the_map_is_asked_for_by_the_name_that_the_device_has_there(scene: Scene) -> None:
    with scene.client() as client:
        assert client.say(HELLO) == b"/host_ok"
        assert client.say(ASK) == b"/fd_ack"
        assert len(client.received) == 1
        assert client.say(b"/xsk_map_fd,eth0") is None


def test_a_pod_waits_for_a_map_of_its_own(scene: Scene) -> None:
    scene.server.update([replace(FOR_PODS, holder=B)])
    with scene.client() as client:
        client.socket.send(HELLO)
        wait(lambda: scene.server.asked() == {"eth0": A})
        wait(lambda: bool(scene.told))
        # A pass that could not make one is no reason for the next pass.
        for looked in range(2, 5):
            scene.server.update([replace(FOR_PODS, holder=B)])
            wait(partial(lambda times: scene.maps.looked == times, looked))
        scene.server.update([OF_A])
        assert client.hear() == b"/host_ok"
        assert scene.told == [1]
        assert scene.server.asked() == {}


@pytest.mark.parametrize(
    "before",
    [
        replace(FOR_PODS, away=False),
        replace(FOR_PODS, pods=frozenset({B})),
    ],
)
def test_a_pod_waits_for_its_device_and_its_grant(scene: Scene, before: Grant) -> None:
    scene.server.update([before])
    with scene.client() as client:
        client.socket.send(HELLO)
        scene.server.update([FOR_PODS])
        wait(lambda: scene.server.asked() == {"eth0": A})
        scene.server.update([OF_A])
        assert client.hear() == b"/host_ok"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("grant", "device", "reason"),
    [
        (replace(OF_A, away=False), "net1", "InterfaceHere"),
        (replace(OF_A, pods=frozenset({B})), "net1", "NotGranted"),
        (replace(OF_A, host_pods=frozenset({A})), "net1", "HostNetwork"),
        (OF_A, "", "WrongNamespace"),
        (FOR_PODS, "net1", "InPreparation"),
    ],
)
def test_who_has_waited_in_vain_is_told_so(
    scene: Scene,
    caplog: pytest.LogCaptureFixture,
    grant: Grant,
    device: str,
    reason: str,
) -> None:
    scene.maps.devices["eth0"] = device
    scene.server.update([grant])
    with scene.client() as client:
        assert client.say(HELLO) == b"/host_nak"
        assert client.hear() is None
        assert not client.received
    assert f"in pod {A}: {reason}, " in caplog.text
    assert scene.server.asked() == {}


def test_who_talks_on_while_it_has_no_answer_gets_none(scene: Scene) -> None:
    scene.server.update([FOR_PODS])
    with scene.client() as client:
        client.socket.send(HELLO)
        wait(lambda: scene.server.asked() == {"eth0": A})
        assert client.say(ASK) is None
    assert scene.server.asked() == {}


def test_who_goes_while_it_waits_asks_for_nothing_more(scene: Scene) -> None:
    scene.server.update([FOR_PODS])
    with scene.client() as client:
        client.socket.send(HELLO)
        wait(lambda: scene.server.asked() == {"eth0": A})
    wait(lambda: scene.server.asked() == {})


@pytest.mark.parametrize("device", ["", "net2"])
def test_the_device_is_looked_for_again_when_the_map_is_asked_for(
    scene: Scene, device: str
) -> None:
    with scene.client() as client:
        assert client.say(HELLO) == b"/host_ok"
        scene.maps.devices["eth0"] = device
        assert client.say(ASK) is None
        assert not client.received


def test_a_map_that_became_another_pods_is_not_handed_out(scene: Scene) -> None:
    with scene.client() as client:
        assert client.say(HELLO) == b"/host_ok"
        scene.server.update([replace(FOR_PODS, holder=B)])
        assert client.say(ASK) is None
        assert not client.received
