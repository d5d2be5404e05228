"""What the API server refuses for a while, to everybody at once: lists, watches and writes of the
operator, of its kopf and of the agents. All of them try again, and nothing is missed."""

import json
import time
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.cluster.arena import EDGE_FRAME, Arena
from tests.cluster.exchange import Asked, Exchange
from tests.cluster.faults import (
    AGENT,
    KOPF,
    OPERATOR,
    dropped,
    error_event,
    reads_of,
    refused,
    writes_to,
)
from tests.cluster.front import Concerns, Fault, Rule
from tests.cluster.installed import OPERATOR as OPERATOR_ACCOUNT
from tests.cluster.installed import SYSTEM, agent_pod
from tests.cluster.operator_scene import LEASE
from tests.cluster.seats import NoSeats

TIMES = 2
EXPIRED, BROKEN = (
    error_event(HTTPStatus.GONE, "Expired"),
    error_event(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
)
AGENTS = "the agents"
READERS = {
    "kopf": reads_of(KOPF, "/xdpredirects$"),
    "the operator's nodes": reads_of(OPERATOR, "/api/v1/nodes$"),
    "the operator's node objects": reads_of(OPERATOR, "/xdpredirectnodes$"),
    AGENTS: reads_of(AGENT, "/xdpredirectnodes$"),
}
WRITERS = {
    "finalizers": writes_to("/xdpredirects/edge$"),
    "node objects": writes_to("/xdpredirectnodes/[^/]*$"),
    "labels": writes_to("/nodes/node-b$"),
    "statuses": writes_to("/xdpredirects/edge/status$"),
    "reports": writes_to("/xdpredirectnodes/[^/]*/status$"),
}
FAULTS = {
    "429": refused(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", Retry_After="1"),
    "500": refused(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
    "503": refused(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    "401": refused(HTTPStatus.UNAUTHORIZED, "Unauthorized"),
    "cut": dropped,
}


@pytest.fixture(autouse=True)
def _mended(arena: Arena) -> Iterator[None]:
    renew(arena)
    with arena.mended():
        yield


def renew(arena: Arena) -> None:
    """Operator and agents that start again, and that watch: those of the test before pause for up
    to half a minute between two attempts by now, since every watch of theirs was broken."""
    for process in arena.processes:
        process.stop()
    arena.front.cut()
    arena.until(lambda: not arena.front.watching(lambda _: True), "no watch is left")
    for process in arena.processes:
        process.start()
    for name, of in READERS.items():
        wanted = len(arena.fleet.stations) if name == AGENTS else 1
        arena.until(partial(watched, arena, of, wanted), f"{name}: watches are open")


def watched(arena: Arena, of: Concerns, times: int) -> bool:
    return arena.front.watching(watching(of)) >= times


def watching(of: Concerns) -> Concerns:
    return lambda asked: asked.watches and of(asked)


def spend(arena: Arena, name: str, rule: Rule) -> None:
    arena.until(lambda: rule.left == 0, f"{name}: refused so often")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_everything_is_refused_for_a_while(arena: Arena, fault: Fault) -> None:
    parts = {**READERS, **WRITERS}
    rules = {name: arena.front.fail(of, fault, TIMES) for name, of in parts.items()}
    arena.front.cut()
    arena.edge("p1")
    arena.until_ready(1, "p1")
    for name in ("kopf", "the operator's nodes"):
        # What told the operator of the object may have been the list after the break.
        spend(arena, name, rules[name])
    assert {name: rule.met for name, rule in rules.items()} == dict.fromkeys(parts, TIMES)
    arena.front.cut()
    arena.edge()
    arena.until_ready(2)
    arena.delete()
    arena.until_gone()


@pytest.mark.parametrize("event", [EXPIRED, BROKEN], ids=["410", "500"])
def test_errors_in_the_stream(arena: Arena, event: dict[str, object]) -> None:
    """In every watch that is open, and as the first line of those that come after it."""

    def says_only_this(exchange: Exchange) -> None:
        exchange.stream([event])

    watches = {name: watching(of) for name, of in READERS.items()}
    arena.edge("p1")
    arena.until_ready(1, "p1")
    for name, of in watches.items():
        arena.until(partial(arena.front.watching, of), f"{name}: a watch is open")
    rules = {name: arena.front.fail(of, says_only_this, TIMES) for name, of in watches.items()}
    for name, of in watches.items():
        assert arena.front.inject(of, event) >= 1, name
    arena.edge()
    arena.until_ready(2)
    for name, rule in rules.items():
        spend(arena, name, rule)
    arena.delete()
    arena.until_gone()


def test_a_priority_level_without_seats(arena: Arena) -> None:
    """The API server itself says 429 to everything but the lease. Each of us asks again, never
    sooner than it was told to."""
    operator, agent = arena.operator.pid, arena.b.node.agent
    begun = len(arena.front.refused)
    agent.freeze(True)
    arena.edge("p1")
    arena.until(lambda: "edge" in arena.told(arena.b), "node-b is told")
    with NoSeats(arena.cluster, "", "apps", "xdpredirect.io"):
        agent.freeze(False)
        arena.until(arena.b.attached, "the watch that is open told the agent")
        refused_often(arena, begun, "reports")
        arena.edge()
        refused_often(arena, begun, "node objects")
        arena.front.cut()
        refused_often(arena, begun, *READERS)
        arena.b.deliver([EDGE_FRAME] * 3, p1=3)
    arena.until_ready(2)
    arena.delete()
    arena.until_gone()
    assert arena.operator.pid == operator
    assert too_soon(arena, begun) == []


def test_no_seat_for_the_lease(arena: Arena) -> None:
    """The operator ends, as it has to, and so do those after it until there is a seat again."""
    arena.edge("p1")
    arena.until_ready(1, "p1")
    first = arena.operator.pid
    with arena.kubelet(arena.operator):
        with NoSeats(arena.cluster, "", "apps", "coordination.k8s.io"):
            arena.until(lambda: arena.operator.pid not in (first, None), "another one is started")
            begun = len(arena.front.refused)
            arena.edge()
            arena.until(lambda: len(refused_of(arena, of_lease, begun)) >= TIMES, "it asks again")
            arena.b.deliver([EDGE_FRAME] * 3, p1=3)
        # Nobody holds it; the next one need not wait until it runs out.
        arena.fleet.wire.request("DELETE", LEASE)
        arena.until_ready(2)
    arena.delete()
    arena.until_gone()


def of_lease(asked: Asked) -> bool:
    return asked.path == LEASE


def refused_often(arena: Arena, since: int, *names: str) -> None:
    """Waits until the API server itself has refused each of these parts."""
    for name in names:
        of = {**READERS, **WRITERS}[name]
        arena.until(lambda: len(refused_of(arena, of, since)) >= TIMES, f"{name}: refused so often")  # noqa: B023


def refused_of(arena: Arena, of: Concerns, since: int) -> list[Asked]:
    return [asked for asked, _ in arena.front.refused[since:] if of(asked)]


def too_soon(arena: Arena, since: int) -> list[tuple[Asked, float]]:
    """What was refused and asked for again by the same client before the time that it was told."""

    def what(asked: Asked) -> tuple[object, ...]:
        selected = parse_qs(asked.query).get("fieldSelector", ())
        return asked.client, asked.method, asked.path, *selected

    return [
        (again, seconds)
        for refused, seconds in arena.front.refused[since:]
        for again in arena.front.asked
        if what(again) == what(refused) and 0 < again.at - refused.at < seconds
    ]


def answered(arena: Arena, since: int, client: str, status: HTTPStatus) -> bool:
    """Whether the API server itself has said so to this client."""
    seen = arena.front.answered[since:]
    return any(asked.client.startswith(client) and code == status for asked, code in seen)


def test_a_token_that_is_no_longer_good(arena: Arena, tmp_path: Path) -> None:
    """A bound token dies with its pod. The operator reads the file again, and so does its kopf; if
    the lease was lost over it, kubelet starts another."""
    config, token = arena.fleet.operator.kubeconfig, tmp_path / "token"
    before = config.read_text()
    document = json.loads(before)
    document["users"][0]["user"] = {"tokenFile": str(token)}
    token.write_text(bound_token(arena, "operator-1"))
    try:
        config.write_text(json.dumps(document))
        arena.operator.stop()
        arena.operator.start()
        arena.edge("p1")
        arena.until_ready(1, "p1")
        begun = len(arena.front.answered)
        end(arena, "operator-1")

        def refused(client: str) -> bool:
            # The API server remembers for some seconds that a token was good.
            arena.front.cut()
            # Long enough for one to connect again and to be answered.
            time.sleep(2.0)
            return answered(arena, begun, client, HTTPStatus.UNAUTHORIZED)

        with arena.kubelet(arena.operator):
            for client in (OPERATOR, KOPF):
                arena.until(partial(refused, client), f"{client} is refused")
            arena.edge()
            new = token.with_suffix(".new")
            new.write_text(bound_token(arena, "operator-2"))
            new.rename(token)
            arena.until_ready(2)
        end(arena, "operator-2")
    finally:
        config.write_text(before)
        arena.operator.kill()
        # Its token is no good any more: it could not give the lease back.
        arena.restart()


def bound_token(arena: Arena, pod: str) -> str:
    document = agent_pod("node-a")
    document["metadata"]["name"] = pod
    document["spec"]["serviceAccountName"] = OPERATOR_ACCOUNT
    arena.cluster.create([document])
    return arena.cluster.token_for(OPERATOR_ACCOUNT, SYSTEM, pod)


def end(arena: Arena, pod: str) -> None:
    now = ["--force", "--grace-period=0"]
    arena.cluster.kubectl("delete", "pod", "-n", SYSTEM, pod, *now)
