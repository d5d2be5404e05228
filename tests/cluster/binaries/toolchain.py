"""A Go that is new enough: the machine's, or one of a pinned hash from the Go module proxy.

Debian's is years behind what Kubernetes needs. Called by `build`.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from tests.cluster.binaries.families import cache

NEEDED = (1, 26)
VERSION = "go1.26.8"
DEFAULT_PROXY = "https://proxy.golang.org"
# platform.machine(): Go's name of it, SHA-256 of the module's zip file
ZIPS = {
    "x86_64": ("amd64", "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7"),
    "aarch64": ("arm64", "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99"),
}


class ToolchainError(Exception):
    """No Go to build with; the message says why."""


def find() -> Path | None:
    """The `go` to use, if one is here already."""
    for candidate in (shutil.which("go"), _own() / "bin/go"):
        if candidate is not None and Path(candidate).exists() and new_enough(Path(candidate)):
            return Path(candidate)
    return None


def new_enough(go: Path) -> bool:
    """Whether it builds this year's Kubernetes; without letting it download another Go."""
    done = subprocess.run(
        [str(go), "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    found = re.match(r"go(\d+)\.(\d+)", done.stdout.strip())
    return found is not None and (int(found[1]), int(found[2])) >= NEEDED


def fetch() -> Path:
    """Downloads the pinned one (about 70 MB) into the cache; ToolchainError."""
    architecture, expected = _zip()
    name = f"v0.0.1-{VERSION}.linux-{architecture}"
    place = _own()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        file = Path(directory, "toolchain.zip")
        _download(f"golang.org/toolchain/@v/{name}.zip", file)
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != expected:
            raise ToolchainError(f"{name}.zip has SHA-256 {found}, not {expected}")
        with zipfile.ZipFile(file) as archive:
            archive.extractall(directory)
        root = Path(directory, f"golang.org/toolchain@{name}")
        _make_executable(root)
        root.rename(place)
    return place / "bin/go"


def _zip() -> tuple[str, str]:
    machine = platform.machine()
    if machine not in ZIPS:
        raise ToolchainError(f"no pinned Go for {machine}; install Go {NEEDED[0]}.{NEEDED[1]}")
    return ZIPS[machine]


def _own() -> Path:
    return cache() / f"{VERSION}-{platform.machine()}"


def _download(path: str, target: Path) -> None:
    """From the first proxy of GOPROXY that has it."""
    proxies = re.split(r"[,|]", os.environ.get("GOPROXY") or DEFAULT_PROXY)
    failures: list[str] = []
    for proxy in (one for one in proxies if one not in ("direct", "off")):
        try:
            with (
                urllib.request.urlopen(f"{proxy}/{path}", timeout=60) as source,
                target.open("wb") as sink,
            ):
                shutil.copyfileobj(source, sink)
        except OSError as error:
            failures.append(f"{proxy}: {error}")
        else:
            return
    reasons = "; ".join(failures) or "GOPROXY names no proxy"
    raise ToolchainError(f"Go {VERSION} could not be downloaded: {reasons}")


def _make_executable(root: Path) -> None:
    """The zip file of a module holds no permissions."""
    for directory in (root / "bin", root / "pkg/tool"):
        for file in directory.rglob("*"):
            if file.is_file():
                file.chmod(0o755)
