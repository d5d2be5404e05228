"""Attacks on who is who at the socket broker, by real processes: each fails with its reason."""

import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.kernel.brokered import PYTHON_PATH, Brokered, brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY
from tests.kernel.raw_client import RawClient
from xdpredirect.xsk import identity

ALICE = 61234
TAKE = "take p1 0 64 2048"
BOTH_WAYS = pytest.mark.usefixtures("_both_ways")


def command(b: Brokered, uid: int, *records: str) -> list[str]:
    return [sys.executable, "-m", "tests.kernel.raw_client", str(b.directory), str(uid), *records]


def answers(b: Brokered, uid: int, *records: str) -> list[str]:
    """What a process of that user without capabilities hears for its records."""
    done = b.dut.run(command(b, uid, *records), env=PYTHON_PATH)
    return done.stdout.splitlines()


def answers_from(cgroup: Path, b: Brokered, *records: str) -> list[str]:
    """What a process of nobody's in that cgroup hears."""
    enter = f'echo $$ > {cgroup}/cgroup.procs; exec "$@"'
    argv = ["sh", "-c", enter, "sh", *command(b, NOBODY, *records)]
    return b.dut.run(argv, env=PYTHON_PATH).stdout.splitlines()


@pytest.fixture(params=["SO_PEERPIDFD", "SO_PEERCRED"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is that of kernels before 6.5."""
    if request.param == "SO_PEERCRED":
        monkeypatch.setattr(identity, "_peer_pidfd", lambda _: None)


@contextmanager
def frozen(b: Brokered) -> Iterator[None]:
    """The broker does nothing until the end of the `with`."""
    with b.server._lock:
        yield


@BOTH_WAYS
def test_another_users_queue(lab: Lab) -> None:
    with brokered(lab, queues=2) as b:
        b.grant(users={ALICE}, queues={0})
        b.grant(users={NOBODY}, queues={1})
        with b.receiver("--queue", "0") as thief:
            output, _ = thief.communicate(timeout=60)
        words = f"user {NOBODY} has no grant for queue 0 of p1, but for 1"
        assert output == f"error: {words} (NotGranted)\n"
        assert thief.returncode == 1
        assert not b.server.report()
        assert b.is_empty(0)
        assert answers(b, ALICE, "hello 1 alice", TAKE)[1].startswith("bound p1")


def test_a_name_proves_nothing(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0, ALICE})
        for name in ("root", "0", str(ALICE), "xdp-redirect-agent"):
            greeting, answer = answers(b, NOBODY, f"hello 1 {name}", TAKE)
            assert greeting == "hello 1"
            assert answer == f"refused NotGranted user {NOBODY} has no grant for p1"


def test_root_may_not_have_what_it_is_not_granted(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with RawClient(b.directory) as root:
            assert root.ask(b"hello 1 root") == "hello 1"
            assert root.ask(TAKE.encode()) == "refused NotGranted user 0 has no grant for p1"


@contextmanager
def pod_cgroup(*way: str) -> Iterator[Path]:
    """A cgroup, such as a kubelet makes for a container of a pod."""
    root = Path("/sys/fs/cgroup")
    root = root / "systemd" if (root / "systemd").is_dir() else root
    ways = (root.joinpath(*way[:depth]) for depth in range(1, len(way) + 1))
    made = [path for path in ways if not path.exists()]
    for path in made:
        path.mkdir()
    try:
        yield made[-1]
    finally:
        for path in reversed(made):
            path.rmdir()


@BOTH_WAYS
def test_a_user_of_a_pod_is_not_that_of_the_host(lab: Lab) -> None:
    pod = str(uuid.uuid4())
    with brokered(lab) as b, pod_cgroup("kubepods", f"pod{pod}", "a") as cgroup:
        b.grant(users={NOBODY})
        heard = answers_from(cgroup, b, "hello 1 a", TAKE)
        assert heard == ["hello 1", f"refused NotGranted pod {pod} has no grant for p1"]
        assert answers(b, NOBODY, "hello 1 a", TAKE)[1].startswith("bound p1")


def test_a_user_of_a_pod_that_nobody_knows_is_not_that_of_the_host(lab: Lab) -> None:
    way = ("xr-elsewhere", "kubepods", f"pod{uuid.uuid4()}", "a")
    with brokered(lab) as b, pod_cgroup(*way) as cgroup:
        b.grant(users={NOBODY})
        words = "its cgroup kubepods is like a pod's, but not where a kubelet makes it"
        assert answers_from(cgroup, b, "hello 1 a") == [f"refused Unidentified {words}"]


def start_heir(b: Brokered, stack: ExitStack) -> Popen[str]:
    """A process of nobody's that has connected and ended; a child of it has the connection."""
    words = command(b, NOBODY, "hello 1 a", TAKE)
    words.insert(3, "--heir")
    process = stack.enter_context(b.dut.running(words, env=PYTHON_PATH))
    assert line(process) == "connected"
    process.wait(timeout=60)
    return process


def line(process: Popen[str]) -> str:
    """The next one that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@BOTH_WAYS
def test_who_has_ended_is_nobody(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={NOBODY})
        with frozen(b):
            heir = start_heir(b, stack)
        assert line(heir) == f"refused Unidentified process {heir.pid} has ended"
        assert line(heir) == ""
        assert not b.server.report()


@BOTH_WAYS
def test_who_gets_the_number_of_another_gets_no_more(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={ALICE})
        with frozen(b):
            heir = start_heir(b, stack)
            words = [sys.executable, "-m", "tests.kernel.same_number", str(heir.pid), str(ALICE)]
            double = stack.enter_context(b.dut.running(words, env=PYTHON_PATH))
            assert line(double) == "there"
        assert line(heir) == f"refused Unidentified process {heir.pid} has ended"
        assert line(heir) == ""
        assert not b.server.report()


@BOTH_WAYS
def test_who_dies_while_the_socket_is_on_its_way_gives_it_up(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={NOBODY})
        words = command(b, NOBODY, "hello 1 a", "stop", f"!{TAKE}", "stop")
        with b.dut.running(words, env=PYTHON_PATH) as process:
            assert line(process) == "hello 1"
            status = Path(f"/proc/{process.pid}/status")
            b.wait(lambda: "State:\tT" in status.read_text())
            with frozen(b):
                process.send_signal(signal.SIGCONT)
                assert line(process) == "said"
                process.kill()
                process.wait(timeout=60)
        b.wait(lambda: not b.server.report())
        assert b.is_empty()
        assert answers(b, NOBODY, "hello 1 b", TAKE)[1].startswith("bound p1")
