"""Claims as a part of the agent: a driver in kubelet's directory, and grants as claims leave them.

The API server is not there, so nothing is published and nothing read; tests/unit/dra does that.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dra.grpc_client import Connected
from tests.unit.dra.test_claims import CLAIM, DEVICES, GRANT, OTHER, POD
from xdpredirect.agent.broker import Broker
from xdpredirect.agent.claims import MEMORY, Claims
from xdpredirect.dra.messages import GET_INFO, UNPREPARE
from xdpredirect.dra.protobuf import field
from xdpredirect.dra.store import ClaimStore
from xdpredirect.settings import Settings

REQUEST = field(1, field(1, "ids") + field(2, "c1") + field(3, "one"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a node whose API server is nowhere."""
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    (tmp_path / "plugins").mkdir()
    return Settings(
        state_dir=tmp_path,
        bpffs=tmp_path,
        sockets_dir=tmp_path / "sockets",
        plugins_dir=tmp_path / "plugins",
        cdi_dir=tmp_path / "cdi",
        kubeconfig=tmp_path / "kubeconfig",
        node="node-1",
    )


@pytest.fixture
def endpoint(settings: Settings) -> Path:
    assert settings.plugins_dir is not None
    return settings.plugins_dir / "xdpredirect.io.sock"


@pytest.fixture
def changes() -> list[int]:
    return []


@pytest.fixture
def claims(settings: Settings, changes: list[int]) -> Iterator[Claims]:
    assert settings.plugins_dir is not None
    made = Claims(settings, settings.plugins_dir, lambda: changes.append(1))
    yield made
    made.close()


def test_kubelet_finds_the_driver_after_the_first_pass(claims: Claims, endpoint: Path) -> None:
    assert not endpoint.exists()
    assert claims.narrow([GRANT], DEVICES) == (GRANT,)
    kubelet = Connected(endpoint)
    assert b"xdpredirect.io" in kubelet.ask(GET_INFO, b"").message
    kubelet.close()
    assert claims.ended() == ""
    claims.close()
    assert not endpoint.exists()


def test_claims_of_the_agent_before_narrow_grants_until_they_are_given_back(
    settings: Settings, claims: Claims, endpoint: Path, changes: list[int]
) -> None:
    assert settings.plugins_dir is not None
    store = ClaimStore(settings.state_dir / MEMORY, settings.cdi_dir, settings.sockets_dir)
    store.keep(CLAIM)
    later = Claims(settings, settings.plugins_dir, lambda: changes.append(1))
    pods = {q: g.pods for g in later.narrow([GRANT], DEVICES) for q in g.queues}
    assert pods == {0: frozenset({POD}), 1: frozenset({POD, OTHER})}
    kubelet = Connected(endpoint)
    assert kubelet.ask(UNPREPARE, REQUEST).status == 0
    kubelet.close()
    assert changes == [1]
    assert later.narrow([GRANT], DEVICES) == (GRANT,)
    later.close()


def test_a_directory_that_is_not_there_is_tried_again(
    claims: Claims, endpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.parent.rmdir()
    for _ in range(2):
        assert claims.narrow([GRANT], DEVICES) == (GRANT,)
    assert caplog.text.count("kubelet cannot find the driver") == 1
    assert claims.ended() == ""
    endpoint.parent.mkdir()
    claims.narrow([GRANT], DEVICES)
    assert endpoint.is_socket()


def test_the_broker_has_claims_where_kubelet_is(settings: Settings, endpoint: Path) -> None:
    with Broker(settings) as broker:
        broker.update((), ())
        assert endpoint.is_socket()
        assert broker.ended() == ""
    assert not endpoint.exists()


def test_a_claim_that_went_wakes_the_agent(settings: Settings, endpoint: Path) -> None:
    with Broker(settings) as broker:
        broker.update((), ())
        kubelet = Connected(endpoint)
        assert kubelet.ask(UNPREPARE, REQUEST).status == 0
        assert broker.drain()
        kubelet.close()
