"""The lock: one owner, named to whoever comes second, gone with its process."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xdpredirect.agent.lock import hold, holder
from xdpredirect.errors import KernelError, Locked

OPERATOR = Path(__file__).parents[3] / "operator"
CHILD = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from xdpredirect.agent.lock import hold
    state, bpffs, files = sys.argv[2:5]
    with hold(Path(state), Path(bpffs), Path(files) if files else None):
        print("held", flush=True)
        time.sleep(60)
""")


@contextmanager
def other(state: Path, bpffs: Path, files: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(OPERATOR), str(state), str(bpffs), files],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_nobody_holds_what_nobody_took(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with hold(tmp_path, tmp_path / "bpf"):
        pass
    assert holder(tmp_path) is None


def test_the_directories_are_made(tmp_path: Path) -> None:
    with hold(tmp_path / "a/state", tmp_path / "a/bpf"):
        assert (tmp_path / "a/bpf").is_dir()


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    with other(tmp_path, tmp_path / "bpf", "/etc/xdp") as process:
        with pytest.raises(Locked) as caught, hold(tmp_path, tmp_path / "bpf2"):
            pass
        assert str(caught.value).startswith(f"{tmp_path} is held by pid {process.pid} (")
        assert str(caught.value).endswith("; stop it or use another directory")
        found = holder(tmp_path)
        assert found is not None
        assert (found.pid, found.files) == (process.pid, Path("/etc/xdp"))


def test_the_bpffs_directory_has_one_owner_too(tmp_path: Path) -> None:
    with (
        other(tmp_path / "one", tmp_path / "bpf") as process,
        pytest.raises(Locked, match=f"{tmp_path}/bpf is held by pid {process.pid} "),
        hold(tmp_path / "two", tmp_path / "bpf"),
    ):
        pass
    assert holder(tmp_path / "two") is None


def test_a_killed_owner_holds_nothing(tmp_path: Path) -> None:
    with other(tmp_path, tmp_path / "bpf", "/etc/xdp") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert holder(tmp_path) is None
        with hold(tmp_path, tmp_path / "bpf"):
            found = holder(tmp_path)
            assert found is not None
            # What the dead one said about its directory does not stick to us.
            assert (found.pid, found.files) == (os.getpid(), None)


def test_a_command_follows_no_directory(tmp_path: Path) -> None:
    with other(tmp_path, tmp_path / "bpf"):
        found = holder(tmp_path)
        assert found is not None
        assert found.files is None


def test_asking_who_holds_it_does_not_take_it_from_anyone(tmp_path: Path) -> None:
    with hold(tmp_path, tmp_path / "bpf"):
        for _ in range(3):
            assert holder(tmp_path) is not None
    for _ in range(20):
        holder(tmp_path)
        with hold(tmp_path, tmp_path / "bpf"):
            pass


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(KernelError, match=f"make {tmp_path}/file/state: ENOTDIR"),
        hold(tmp_path / "file/state", tmp_path / "bpf"),
    ):
        pass
