"""xdp-bench of xdp-tools, the program that ours is measured against.

Debian 12 and 13 carry versions that fail on Linux 6.17 and later, so a small tree of Debian sid is
bootstrapped once into a cache directory, and xdp-bench runs in it by chroot. Called by
`throughput`; `python -m tests.bench.peer` only installs.
"""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.kernel.lab import Host

CACHE = Path("/var/cache/xdpredirect-bench")
TREE = CACHE / "sid"
MOUNTS = ("proc", "sys", "sys/fs/bpf")
START_SECONDS = 15.0
_SOURCES = Path("/etc/apt")
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$")


class PeerMissing(Exception):
    """xdp-bench cannot be had here; the message says why."""


def install() -> Path:
    """The tree with xdp-bench in it, bootstrapped when it is not there yet (a minute or two)."""
    if (TREE / "usr/sbin/xdp-bench").exists():
        return TREE
    if not shutil.which("debootstrap"):
        raise PeerMissing("xdp-bench: debootstrap is missing; apt-get install debootstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / "sid.new"
    shutil.rmtree(fresh, ignore_errors=True)
    print(f"bootstrapping Debian sid with xdp-tools into {TREE} ...", flush=True)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=xdp-tools", "sid", str(fresh), mirror()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PeerMissing(f"debootstrap: {done.stdout.strip().splitlines()[-1]}")
    fresh.rename(TREE)
    return TREE


def version() -> str:
    """Version of the Debian package in the tree."""
    query = ["dpkg-query", "-W", "-f", "${Version}", "xdp-tools"]
    done = subprocess.run(["chroot", str(TREE), *query], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def mirror() -> str:
    """The Debian archive that this machine's apt uses. Raises PeerMissing when it has none."""
    for path in sorted(_SOURCES.rglob("*")):
        if path.suffix in (".sources", ".list") and path.is_file():
            for uri, components in _archives(path):
                if "main" in components and uri.rstrip("/").endswith("/debian"):
                    return uri
    raise PeerMissing("no Debian archive among the sources of apt")


def _archives(path: Path) -> Iterator[tuple[str, str]]:
    """(URI, components) of each source in a file of either format."""
    text = path.read_text()
    if path.suffix == ".list":
        for line in text.splitlines():
            if found := _ONE_LINE.match(line.strip()):
                yield found[1], found[3]
        return
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        for uri in fields.get("URIs", "").split():
            yield uri, fields.get("Components", "")


@contextlib.contextmanager
def mounted() -> Iterator[Path]:
    """The tree with what xdp-bench reads of the machine bound into it."""
    tree = install()
    bound: list[Path] = []
    try:
        for name in MOUNTS:
            where = tree / name
            where.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", f"/{name}", str(where)], check=True)
            bound.append(where)
        yield tree
    finally:
        for where in reversed(bound):
            subprocess.run(["umount", "--lazy", str(where)], check=True)


@contextlib.contextmanager
def xdp_bench(host: Host, interface: str, words: Sequence[str]) -> Iterator[None]:
    """`xdp-bench WORDS` runs in `host` from when its program is on `interface` to the end."""
    argv = ["chroot", str(TREE), "xdp-bench", *words]
    with host.running(argv) as process:
        deadline = time.monotonic() + START_SECONDS
        while "prog/xdp" not in host.ip("link", "show", "dev", interface):
            if process.poll() is not None or time.monotonic() > deadline:
                process.terminate()
                raise PeerMissing(f"xdp-bench {' '.join(words)}: {process.communicate()[0]}")
            time.sleep(0.05)
        yield


if __name__ == "__main__":
    print(install(), "xdp-tools", end=" ")
    print(version())
