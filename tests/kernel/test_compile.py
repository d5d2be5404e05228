"""The compiler child: what it gives up, what the cache saves, and what is said when it fails."""

import subprocess
from pathlib import Path

import pytest

from xdpredirect.errors import CompileError
from xdpredirect.kernel import compile as compiling
from xdpredirect.kernel.compile import Compiler

PYTHON = "/usr/bin/python3"
PASS = "int pass(struct xdp_md *ctx) { return 2; }\nint drop(struct xdp_md *ctx) { return 1; }\n"
# A move to r0, without its number, and the exit.
MOVE, EXIT = "b7000000", "9500000000000000"


def test_the_child_has_no_user_no_capability_and_no_way_back() -> None:
    text = Path(compiling.__file__).with_name("compile_child.py").read_text()
    definitions, call = text.rsplit("\n", 2)[:2]
    assert call == "main()"
    program = definitions + "\ngive_up_privileges()\nprint(Path('/proc/self/status').read_text())"
    done = subprocess.run([PYTHON, "-I", "-c", program], capture_output=True, text=True, check=True)
    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert set(status["Uid"].split()) | set(status["Gid"].split()) == {"65534"}
    assert status["Groups"].split() == []
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"] == "1"


def test_a_second_compilation_needs_no_compiler(tmp_path: Path) -> None:
    first = Compiler(PYTHON, tmp_path).functions(PASS, ("pass", "drop"))
    assert first == {
        "pass": bytes.fromhex(MOVE + "02000000" + EXIT),
        "drop": bytes.fromhex(MOVE + "01000000" + EXIT),
    }
    assert Compiler("/bin/false", tmp_path).functions(PASS, ("pass", "drop")) == first
    with pytest.raises(CompileError):
        Compiler("/bin/false", tmp_path).instructions(PASS + "\n", "pass")


def test_a_damaged_cached_file_is_compiled_again(tmp_path: Path) -> None:
    code = Compiler(PYTHON, tmp_path).instructions(PASS, "pass")
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:-3], whole[:-8], bytes(len(whole))):
        path.write_bytes(damaged)
        assert Compiler(PYTHON, tmp_path).instructions(PASS, "pass") == code
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("python", "source", "words"),
    [
        (PYTHON, "int pass(struct xdp_md *ctx) { return absent; }", "absent"),
        ("/bin/false", PASS, "status 1"),
        ("/nonexistent", PASS, "could not run"),
    ],
)
def test_failures_are_told_and_leave_nothing(
    tmp_path: Path, python: str, source: str, words: str
) -> None:
    with pytest.raises(CompileError, match=words):
        Compiler(python, tmp_path).instructions(source, "pass")
    assert list(tmp_path.iterdir()) == []
