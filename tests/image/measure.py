"""What the images weigh, by part, and how soon an agent in one redirects.

Run as `python -m tests.image.measure`; docs/performance.md has its output. Not a test: times belong
to a machine. An agent is ready when status.json tells of its first pass.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.image.archive import Archive
from tests.image.build import images
from tests.image.conftest import agent_mounts
from tests.image.container import AGENT_CAPABILITIES, Container, Mount, Pod, Rights
from tests.kernel.lab import Host, Lab
from tests.kernel.lab.turn import turn
from tests.kernel.switch import CATCH_ALL, redirect, rule

ROUNDS = 7
LIMIT_SECONDS = 60.0
OBJECTS = "/etc/xdpredirect"
# Patterns below the root of the agent's image, each without those above it.
PARTS = (
    ("LLVM", ("usr/lib/*/libLLVM*",)),
    ("clang", ("usr/lib/*/libclang*",)),
    ("Z3, which LLVM is linked with", ("usr/lib/*/libz3*",)),
    ("bcc", ("usr/lib/*/libbcc*", "usr/lib/*/libbpf*", "usr/lib/python3/dist-packages/bcc")),
    ("Python 3.13 and its library", ("usr/bin/python3*", "usr/lib/python3*")),
    ("our package", ("opt/xdpredirect/lib/python3*/site-packages/xdp*redirect*",)),
    ("Python packages that it needs", ("opt",)),
    ("the rest of Debian", ("*",)),
)


def main() -> None:
    """Prints two tables."""
    built = images()
    with tempfile.TemporaryDirectory(prefix="xdpredirect-measure-") as directory:
        for name, path in (("operator", built.operator), ("agent", built.agent)):
            archive, root = Archive(path), Path(directory, name)
            archive.unpack(root)
            print(f"{name}: layers of {', '.join(f'{n / 1e6:.1f}' for n in layers(archive))} MB")
            for part, size in parts(root):
                print(f"| {part} | {size / 1e6:.1f} MB |")
        with turn():
            for kind, seconds in started(Archive(built.agent), Path(directory, "agent")):
                shown = (
                    f"{statistics.median(seconds):.2f} s | {min(seconds):.2f} – {max(seconds):.2f}"
                )
                print(f"| start of the container to redirecting, {kind} | {shown} |")


def layers(archive: Archive) -> list[int]:
    """Octets of the files of each layer."""
    sizes = [0] * len(archive.layers)
    for layer, entry in archive.entries():
        sizes[layer] += entry.size
    return sizes


def parts(root: Path) -> Iterator[tuple[str, int]]:
    """(what it is, octets), all of them, and the sum."""
    seen: set[int] = set()
    total = 0
    for part, patterns in PARTS:
        size = sum(fresh(path, seen) for pattern in patterns for path in root.glob(pattern))
        total += size
        if size:
            yield part, size
    yield "together", total


def fresh(path: Path, seen: set[int]) -> int:
    """Octets of the files at and below `path` that were not counted before."""
    found = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    size = 0
    for status in (file.lstat() for file in found):
        if status.st_ino not in seen:
            seen.add(status.st_ino)
            size += status.st_size
    return size


def started(archive: Archive, root: Path) -> Iterator[tuple[str, list[float]]]:
    """Seconds of each start, without a compiled program and with one; turn and turn about."""
    samples: dict[str, list[float]] = {"cold": [], "program cached": []}
    with Lab() as lab, tempfile.TemporaryDirectory() as files:
        for name in ("in", "p1"):
            lab.veth(("node", name), ("far", name))
        text = redirect(rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}"))
        Path(files, "o.yaml").write_text(text.replace("MODE", "Native"))
        host = lab.host("node")
        mounts = (*agent_mounts(host), Mount(target=OBJECTS, source=files, read_only=True))
        pod = Pod(
            root=root,
            image=archive.config,
            rights=Rights(user=0, capabilities=AGENT_CAPABILITIES),
            args=("agent", "--files", OBJECTS),
            mounts=mounts,
        )
        for _ in range(ROUNDS):
            for kind, seconds in samples.items():
                forget(host, cache=kind == "cold")
                seconds.append(start(Container(host, "measured", pod), host))
    yield from samples.items()


def forget(host: Host, *, cache: bool) -> None:
    """As on a node that has just been started: nothing is attached, nothing is in the state
    directory but, unless `cache` goes too, the compiled programs."""
    shutil.rmtree(host.bpffs / "xdpredirect", ignore_errors=True)
    for path in host.state_dir.iterdir():
        if path.name != "cache":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif cache:
            shutil.rmtree(path)


def start(container: Container, host: Host) -> float:
    """Seconds from the start of runc to the report of a pass that attached the program."""
    began = time.perf_counter()
    container.start()
    try:
        while not (host.state_dir / "status.json").exists():
            if time.perf_counter() - began > LIMIT_SECONDS:
                raise TimeoutError(container.said())
            time.sleep(0.002)
        took = time.perf_counter() - began
        if "xdp" not in host.ip("link", "show", "dev", "in"):
            raise RuntimeError(container.said())
        return took
    finally:
        container.remove()


if __name__ == "__main__":
    main()
