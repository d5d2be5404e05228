"""The driver as kubelet meets it: at its socket, with claims that may be prepared and others."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dra.grpc_client import SECONDS, Connected
from tests.unit.dra.test_claims import DEVICES, GRANT, POD, STRANGER, document, result
from xdpredirect.cluster.resource import Resource
from xdpredirect.dra import driver as driver_module
from xdpredirect.dra.driver import Driver
from xdpredirect.dra.messages import GET_INFO, NOTIFY, PREPARE, UNPREPARE
from xdpredirect.dra.protobuf import entry, field
from xdpredirect.dra.server import Server
from xdpredirect.dra.store import ClaimStore
from xdpredirect.errors import ApiError

REQUEST = field(1, field(1, "ids") + field(2, "c1") + field(3, "one"))


class Claims:
    """The API server; `asked` is set once it was."""

    def __init__(self) -> None:
        self.found: dict[str, Any] | None = document(result())
        self.error: ApiError | None = None
        self.asked = threading.Event()

    def get(self, resource: Resource, name: str) -> dict[str, object] | None:
        assert resource.path(name) == "/apis/resource.k8s.io/v1/namespaces/ids/resourceclaims/one"
        self.asked.set()
        if self.error:
            raise self.error
        return self.found


class Scene:
    def __init__(self, directory: Path) -> None:
        self.claims, self.changes = Claims(), 0
        self.endpoint = directory / "plugin.sock"
        self.cdi = directory / "cdi"
        self.store = ClaimStore(directory / "claims.json", self.cdi, Path("/run/sockets"))
        self.driver = Driver("node-1", self.endpoint, self.claims, self.store, self.change)
        self.server = Server(self.endpoint, self.driver.methods)
        self.kubelet = Connected(self.endpoint)

    def change(self) -> None:
        self.changes += 1

    def close(self) -> None:
        self.driver.stop()
        self.kubelet.close()
        self.server.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


PREPARED = entry(
    1,
    "c1",
    field(
        1,
        field(1, "queue")
        + field(2, "node-1")
        + field(3, "eth0-0")
        + field(4, "xdpredirect.io/queue=c1-eth0-0"),
    ),
)


def refused(words: str) -> bytes:
    return entry(1, "c1", field(2, words))


def test_kubelet_hears_where_the_driver_answers(scene: Scene) -> None:
    info = scene.kubelet.ask(GET_INFO, b"").message
    assert info == b"".join(
        field(number, text)
        for number, text in enumerate(
            ("DRAPlugin", "xdpredirect.io", str(scene.endpoint), "v1.DRAPlugin"), start=1
        )
    )
    assert scene.kubelet.ask(NOTIFY, b"\x08\x01").status == 0


def test_a_driver_that_is_not_taken_says_so(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    assert scene.kubelet.ask(NOTIFY, b"\x12\x06taken!").status == 0
    assert "kubelet does not take the driver xdpredirect.io: taken!" in caplog.text


def test_a_claim_is_prepared_and_given_back(scene: Scene) -> None:
    scene.driver.update(DEVICES, [GRANT])
    assert scene.kubelet.ask(PREPARE, REQUEST).message == PREPARED
    (claim,) = scene.driver.update(DEVICES, [GRANT])
    assert (claim.uid, claim.pods, scene.changes) == ("c1", frozenset({POD}), 1)
    assert len([*scene.cdi.iterdir()]) == 1
    # kubelet asks again after a restart of its own.
    assert scene.kubelet.ask(PREPARE, REQUEST).message == PREPARED
    for changes in (3, 4):
        assert scene.kubelet.ask(UNPREPARE, REQUEST).message == entry(1, "c1", b"")
        assert (scene.driver.update(DEVICES, [GRANT]), scene.changes) == ((), changes)
    assert [*scene.cdi.iterdir()] == []


@pytest.mark.parametrize("late", ["grants", "devices"])
def test_a_claim_waits_until_the_operator_has_named_its_pod(scene: Scene, late: str) -> None:
    if late == "grants":
        scene.driver.update(DEVICES, [])
    stream = scene.kubelet.call(PREPARE, REQUEST)
    scene.kubelet.socket.sendall(scene.kubelet.http.data_to_send())
    assert scene.claims.asked.wait(SECONDS)
    scene.driver.update(DEVICES, [GRANT])
    (reply,) = scene.kubelet.until(stream)
    assert reply.message[5:] == PREPARED


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            document(result(), pods=(STRANGER,)),
            "no rule that hands out queue 0 of eth0 has the pod among its clients",
        ),
        (document(), "ResourceClaim ids/one has no device of node node-1"),
        (None, "ResourceClaim ids/one of UID c1 is gone"),
    ],
)
def test_what_may_not_be_prepared_leaves_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, found: Any, words: str
) -> None:
    monkeypatch.setattr(driver_module, "PATIENCE_SECONDS", 0.0)
    scene.claims.found = found
    scene.driver.update(DEVICES, [GRANT])
    assert scene.kubelet.ask(PREPARE, REQUEST).message == refused(words)
    assert (scene.driver.update(DEVICES, [GRANT]), scene.changes) == ((), 0)
    assert not scene.cdi.exists()


def test_an_api_server_that_is_away_is_said_so(scene: Scene) -> None:
    scene.claims.error = ApiError(0, "Unreachable", "refused")
    scene.driver.update(DEVICES, [GRANT])
    assert scene.kubelet.ask(PREPARE, REQUEST).message == refused("refused (Unreachable)")


def test_a_directory_that_cannot_be_written_is_said_so(scene: Scene) -> None:
    scene.cdi.write_text("no directory")
    scene.driver.update(DEVICES, [GRANT])
    answer = scene.kubelet.ask(PREPARE, REQUEST).message
    assert b"File exists" in answer
    assert b"xdpredirect.io/queue=" not in answer


def test_nobody_waits_for_a_driver_that_stops(scene: Scene) -> None:
    scene.driver.update(DEVICES, [])
    stream = scene.kubelet.call(PREPARE, REQUEST)
    scene.kubelet.socket.sendall(scene.kubelet.http.data_to_send())
    assert scene.claims.asked.wait(SECONDS)
    scene.driver.stop()
    (reply,) = scene.kubelet.until(stream)
    assert b"has the pod among its clients" in reply.message
