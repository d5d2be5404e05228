"""Election, probes and what a probe says, without a cluster."""

import threading
import urllib.error
import urllib.request
from functools import partial
from typing import Any

import pytest

from xdpredirect.cluster.resource import LEASES, Resource
from xdpredirect.controller import election, process
from xdpredirect.controller.election import Election
from xdpredirect.controller.lease import GIVE_UP, RETRY
from xdpredirect.controller.probes import Check, Probes
from xdpredirect.errors import ApiError
from xdpredirect.metrics.server import Answer

PATIENCE_SECONDS = 20.0


class Leases:
    """One lease in memory; `away` refuses everything, `refusal` is what it says to a look."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.away = False
        self.refusal: ApiError | None = None
        self._lock = threading.Lock()

    def get(self, resource: Resource, name: str) -> dict[str, Any] | None:
        assert resource.namespace == "system"
        if self.refusal:
            raise self.refusal
        if self.away:
            raise ApiError(0, "Unreachable", name)
        return self.stored

    def create(self, resource: Resource, document: dict[str, Any]) -> dict[str, Any]:
        assert resource.namespace == "system"
        with self._lock:
            if self.stored is not None:
                raise ApiError(409, "AlreadyExists", "it is there")
            return self._store(document, 1)

    def replace(self, resource: Resource, document: dict[str, Any]) -> dict[str, Any]:
        assert resource.namespace == "system"
        with self._lock:
            if self.away or self.stored is None:
                raise ApiError(0, "Unreachable", "away")
            version = self.stored["metadata"]["resourceVersion"]
            if document["metadata"]["resourceVersion"] != version:
                raise ApiError(409, "Conflict", "somebody was faster")
            return self._store(document, int(version) + 1)

    def _store(self, document: dict[str, Any], version: int) -> dict[str, Any]:
        metadata = {**document["metadata"], "resourceVersion": str(version)}
        self.stored = {**document, "metadata": metadata}
        return self.stored


def candidate(leases: Leases, name: str) -> Election:
    return Election(leases, LEASES.within("system"), "lease", name)


def test_one_leads_and_the_next_takes_over_what_was_given_back(monkeypatch: Any) -> None:
    monkeypatch.setattr(election, "RETRY", 0.01)
    leases = Leases()
    first = candidate(leases, "first")
    first.start()
    assert first.won.wait(PATIENCE_SECONDS)
    second = candidate(leases, "second")
    second.start()
    assert first.leads()
    assert not second.leads()
    first.stop()
    assert not first.leads()
    assert second.won.wait(PATIENCE_SECONDS)
    assert second.leads()
    second.stop()
    assert leases.stored is not None
    assert leases.stored["spec"]["holderIdentity"] == ""


def test_a_leader_whose_lease_was_taken_knows_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(election, "RENEW", 0.01)
    leases = Leases()
    first = candidate(leases, "first")
    first.start()
    assert first.won.wait(PATIENCE_SECONDS)
    assert leases.stored is not None
    taken = {**leases.stored, "spec": {**leases.stored["spec"], "holderIdentity": "other"}}
    leases.stored = {**taken, "metadata": {"name": "lease", "resourceVersion": "99"}}
    assert first.lost.wait(PATIENCE_SECONDS)
    assert not first.leads()
    first.stop()
    assert leases.stored["spec"]["holderIdentity"] == "other", "what is lost is not given back"


def test_a_leader_that_cannot_renew_stops_to_lead(monkeypatch: Any) -> None:
    monkeypatch.setattr(election, "RENEW", 0.01)
    monkeypatch.setattr(election, "RETRY", 0.01)
    monkeypatch.setattr(election, "GIVE_UP", 0.1)
    leases = Leases()
    only = candidate(leases, "only")
    only.start()
    assert only.won.wait(PATIENCE_SECONDS)
    leases.away = True
    assert only.lost.wait(PATIENCE_SECONDS)
    only.stop()


@pytest.mark.parametrize(("asked", "waits"), [(0.0, RETRY), (7.0, 7.0), (60.0, GIVE_UP)])
def test_a_refused_look_is_tried_again_when_the_server_says(
    monkeypatch: Any, asked: float, waits: float
) -> None:
    leases = Leases()
    leases.refusal = ApiError(429, "TooManyRequests", "please try again later", asked)
    only, pauses = candidate(leases, "only"), list[float]()

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        only._stopped.set()

    monkeypatch.setattr(only._stopped, "wait", wait)
    only.run()
    assert pauses == [waits]


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, response.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


def test_probes_say_what_is_wrong() -> None:
    wrong = {"/healthz": "", "/readyz": "the caches are not filled yet"}
    checks: dict[str, Check] = {path: partial(wrong.__getitem__, path) for path in wrong}
    probes = Probes("127.0.0.1", 0, checks)
    try:
        port = probes.server_address[1]
        assert answer(port, "/healthz") == (200, "ok")
        assert answer(port, "/readyz") == (503, "the caches are not filled yet")
        assert answer(port, "/metrics")[0] == 404
        wrong["/readyz"] = ""
        assert answer(port, "/readyz") == (200, "ok")
    finally:
        probes.close()


def test_metrics_are_a_page_beside_the_probes() -> None:
    page = Answer(200, b"a 1\n", "text/plain; version=0.0.4")
    probes = Probes("127.0.0.1", 0, {"/healthz": lambda: ""}, {"/metrics": lambda: page})
    try:
        assert answer(probes.server_port, "/metrics") == (200, "a 1")
        assert answer(probes.server_port, "/healthz") == (200, "ok")
    finally:
        probes.close()


class Heard:
    """A watch or a loop, as far as a probe asks."""

    name = "reflector-nodes"

    def __init__(self, at: float) -> None:
        self.heard = self.alive_at = at
        self.missed = self.passes = 0


def test_a_quiet_watch_and_a_loop_that_stands_are_ailments(monkeypatch: Any) -> None:
    now = 10_000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    only = candidate(Leases(), "only")
    only.won.set()
    made: Any = process.Leader(None, None, only, "only")  # type: ignore[arg-type]
    assert made.unready() == ""
    watch, loop = Heard(now), Heard(now)
    made.reflectors, made.loop = [watch], loop
    assert made.ailment() == ""
    assert made.unready() == "the caches are not filled yet"
    loop.passes = 1
    assert made.unready() == ""
    watch.heard = now - process.STALE_SECONDS - 1
    assert made.ailment() == "reflector-nodes: nothing for 241 s"
    watch.heard, loop.alive_at = now, 0.0
    assert made.ailment().startswith("loop: nothing for")
    loop.alive_at, loop.missed = now, 2
    assert made.ailment() == "the watch of xdpredirects misses changes"
