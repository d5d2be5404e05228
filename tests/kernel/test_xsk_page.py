"""docs/sockets.md is tried: its object, its commands, its Python, all with a real agent."""

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.kernel.brokered import PYTHON_PATH
from tests.kernel.documents import ANYTHING, ROOT, Block, blocks, plain
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.loaded import CACHE
from tests.kernel.switch import udp
from tests.kernel.test_xsk_example import POWERLESS, build
from tests.unit.xsk.test_documented import KERNEL, OF_THE_CLIENT, REASON
from xdpredirect.api.load import load_paths

PAGE = ROOT / "docs/sockets.md"
BLOCKS = blocks(PAGE)
FILES = {block.file: block.text for block in BLOCKS if block.file}
PYTHON = [sys.executable, "-m"]
# What a command of the page is run as, where it is not to be root's.
AS_NOBODY = [*PYTHON, "tests.kernel.powerless"]
VXLAN = udp(4789)


class Page:
    """Host `machine` with eth0, fed by `source`, and a running agent."""

    def __init__(self, lab: Lab, work: Path) -> None:
        near, self.source = lab.veth(("machine", "eth0"), ("far", "eth0"))
        self.machine, self.work = near.host, work
        self.directory = self.machine.state_dir / "sockets"
        self.env = {"XDPREDIRECT_SOCKETS_DIR": str(self.directory), "NO_COLOR": "1", **PYTHON_PATH}
        CACHE.mkdir(mode=0o700, exist_ok=True)
        (self.machine.state_dir / "cache").symlink_to(CACHE)
        for name, text in FILES.items():
            (work / name).write_text(text)

    def xdpredirect(self, *words: str, status: int = 0) -> list[str]:
        """As root; the lines that it prints."""
        done = self.machine.run([*PYTHON, "xdpredirect", *words], check=False, env=self.env)
        assert done.returncode == status, done.stdout + done.stderr
        return (done.stdout + done.stderr).splitlines()

    def apply(self) -> list[str]:
        """The object of the page, by its command."""
        assert "xdpredirect apply -f capture.yaml" in commands()
        printed = self.xdpredirect("apply", "-f", str(self.work / "capture.yaml"))
        until((self.directory / "broker.sock").exists)
        return printed

    @contextmanager
    def as_nobody(self, *words: str) -> Iterator[Popen[str]]:
        """A client, which has its socket when a line is printed, or ends."""
        with self.machine.running(list(words), env=self.env) as process:
            yield process


@pytest.fixture
def page(lab: Lab, tmp_path: Path) -> Iterator[Page]:
    made = Page(lab, tmp_path)
    with made.machine.running([*PYTHON, "xdpredirect", "agent"], env=made.env):
        until((made.machine.state_dir / "status.json").exists)
        yield made
    made.xdpredirect("delete", "--all")


def commands() -> dict[str, tuple[Block, list[str]]]:
    """Every command of the page, with its block and what it is said to print."""
    console = [block for block in BLOCKS if block.language == "console"]
    return {command: (block, shown) for block in console for command, shown in block.commands()}


def shows(command: str, printed: list[str]) -> None:
    """What the page says is printed, in any numbers."""
    found = {plain(line) for line in printed}
    _, shown = commands()[command]
    missing = [line for line in shown if line.strip() != ANYTHING and plain(line) not in found]
    assert not missing, printed


def test_every_command_of_the_page_is_run_below() -> None:
    tried = Path(__file__).read_text()
    assert len(commands()) == 7
    assert not [command for command in commands() if f'"{command}"' not in tried]


def test_the_object_is_that_of_the_examples() -> None:
    example = (ROOT / "examples/sockets.yaml").read_text()
    assert example.partition("\n")[2] == FILES["capture.yaml"]
    assert load_paths([str(ROOT / "examples/sockets.yaml")]).documents


def test_from_the_object_to_the_first_frames(page: Page) -> None:
    shows("xdpredirect apply -f capture.yaml", page.apply())
    command = "xdpredirect receive eth0 --count 3"
    with page.as_nobody(*AS_NOBODY, *shlex.split(command)[1:]) as client:
        assert client.stdout is not None
        first = client.stdout.readline().rstrip("\n")
        page.source.send([udp(53), VXLAN, VXLAN, udp(7), VXLAN])
        rest = client.stdout.read().splitlines()
        assert client.wait(timeout=60) == 0
    shows(command, [first, *rest])
    assert rest[:-1] == [f"{len(VXLAN)} {VXLAN.hex()}"] * 3


def test_busy_polling(page: Page) -> None:
    page.apply()
    command = "xdpredirect receive eth0 --busy-poll 64 --count 1"
    with page.as_nobody(*AS_NOBODY, *shlex.split(command)[1:]) as client:
        assert client.stdout is not None
        first = client.stdout.readline().rstrip("\n")
        page.source.send([VXLAN])
        rest = client.stdout.read().splitlines()
        assert client.wait(timeout=60) == 0
    shows(command, [first, *rest])
    assert rest[0] == f"{len(VXLAN)} {VXLAN.hex()}"


def test_a_device_of_the_pods_own(page: Page, lab: Lab) -> None:
    page.apply()
    pod, machine = lab.host("pod"), page.machine
    machine.ip("link", "set", "eth0", "netns", pod.netns, "name", "net1")
    pod.ip("link", "set", "net1", "up")
    command = "xdpredirect receive eth0 --own-device net1 --count 3"
    client_command = [*AS_NOBODY, "--net-raw", *shlex.split(command)[1:]]
    with pod.running(client_command, env={**machine.environment, **page.env}) as client:
        assert client.stdout is not None
        first = client.stdout.readline().rstrip("\n")
        page.source.send([udp(53), VXLAN, VXLAN, udp(7), VXLAN])
        rest = client.stdout.read().splitlines()
        assert client.wait(timeout=60) == 0
    shows(command, [first, *rest])
    assert rest[:-1] == [f"{len(VXLAN)} {VXLAN.hex()}"] * 3


def test_the_python(page: Page) -> None:
    page.apply()
    text = (page.work / "count.py").read_text()
    assert '"/run/xdpredirect/sockets"' in text
    (page.work / "count.py").write_text(
        text.replace("/run/xdpredirect/sockets", str(page.directory))
    )
    with page.as_nobody(*AS_NOBODY, str(page.work / "count.py")) as client:
        memory = page.machine.state_dir / "sockets.json"
        until(lambda: memory.exists() and '"interface": "eth0"' in memory.read_text())
        page.source.send([VXLAN] * 1000)
        output, _ = client.communicate(timeout=60)
    source = VXLAN[6:12].hex(":")
    assert output == f"Counter({{'{source}': {1000 * len(VXLAN)}}})\n"
    assert client.returncode == 0


def test_the_c(page: Page) -> None:
    page.apply()
    assert "cc -O2 -o xsk examples/xsk.c" in commands()
    command = "./xsk /run/xdpredirect/sockets eth0 0"
    assert commands()[command]
    program = page.machine.state_dir / "xsk"
    build(program)
    with page.as_nobody(*POWERLESS, str(program), str(page.directory), "eth0", "0") as client:
        assert client.stdout is not None
        assert client.stdout.readline().startswith("bound eth0 ")
        page.source.send([VXLAN])
        assert client.stdout.readline() == f"{len(VXLAN)} {VXLAN.hex()}\n"


def test_a_refusal(page: Page) -> None:
    page.apply()
    command = "xdpredirect receive eth0 --queue 5"
    with page.as_nobody(*AS_NOBODY, *shlex.split(command)[1:]) as client:
        output, _ = client.communicate(timeout=60)
    shows(command, output.splitlines())
    assert client.returncode == commands()[command][0].exit


def test_who_finds_no_agent_is_told_where_it_should_be(page: Page) -> None:
    with page.as_nobody(*AS_NOBODY, "receive", "eth0") as client:
        output, _ = client.communicate(timeout=60)
    path = page.directory / "broker.sock"
    assert output == f"error: [Errno 2] No such file or directory: '{path}'\n"
    assert client.returncode == 1


def test_every_refusal_has_its_row() -> None:
    code = "\n".join(p.read_text() for p in (ROOT / "operator/xdpredirect/xsk").glob("*.py"))
    reasons = {*REASON.findall(code), *KERNEL.findall(code)}
    rows = re.findall(r"^\| (`[^|]*) \|", PAGE.read_text(), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([A-Z]\w+)`", row)}
    assert reasons >= OF_THE_CLIENT
    assert reasons == told
