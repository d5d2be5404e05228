"""A pod that brings its socket before the node is told that it is selected, as it may when it has
just started: it is kept waiting, and only the process that asked gets what it has waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import Popen

import pytest

from tests.cluster.pod_objects import cgroup_of
from tests.kernel.brokered import PATIENCE_SECONDS, PYTHON_PATH
from tests.kernel.connector import connected
from tests.kernel.lab import Lab
from tests.kernel.raw_client import RawClient
from tests.kernel.test_moved_attacks import BRING, HELLO, Away, away
from xdpredirect.xsk import protocol
from xdpredirect.xsk.messages import NAME

POD = "6e1a0f1c-58c8-4f2e-9a51-000000000001"


@contextmanager
def client_of_pod(a: Away) -> Iterator[tuple[RawClient, Popen[str]]]:
    """One that has said hello, and the process that the broker knows it by."""
    with cgroup_of(POD) as cgroup:
        enter = "sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh"
        server, path = a.b.directory / NAME, PYTHON_PATH["PYTHONPATH"]
        with (
            connected(a.pod, server, *enter, path=path) as (connection, process),
            RawClient(a.b.directory, connection) as client,
        ):
            assert client.ask(HELLO) == "hello 1"
            yield client, process


def waits(a: Away) -> bool:
    """Whether the broker has a client that waits."""
    with a.b.server._lock:
        return any(connection.waiting for connection in a.b.server._connections)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker waits for as long as a slow machine may need."""
    monkeypatch.setattr(protocol, "PATIENCE_SECONDS", PATIENCE_SECONDS)


def test_a_pod_that_is_there_before_its_grant(lab: Lab) -> None:
    with away(lab) as a, client_of_pod(a) as (client, _):
        mine = a.bound()
        client.say(BRING, mine.fd)
        a.b.wait(lambda: waits(a))
        a.b.grant(users=set(), pods=frozenset({POD}), away=True)
        assert client.hear() == "brought p1 0"
        a.receives(mine)
        (held,) = a.b.server.report()
        assert (held.peer.pod, held.away) == (POD, True)


def test_a_pod_that_ends_while_it_waits(lab: Lab) -> None:
    """Though its connection lives on in another process, and what it brought is granted by now."""
    with away(lab) as a, client_of_pod(a) as (client, process):
        of_root = a.grant()
        client.say(BRING, a.bound().fd)
        a.b.wait(lambda: waits(a))
        with a.b.server._lock:
            process.kill()
            process.wait(PATIENCE_SECONDS)
            a.b.server._leases.update([replace(of_root, pods=frozenset({POD}))])
        assert client.hear() == ""
        assert not a.b.server.report()
        assert a.b.is_empty()
