"""A program of a directory here, built with the Go that builds the control plane.

Called by `pause_image` and `container`. Kept by its content outside of the checkout.
"""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from tests.cluster.binaries import toolchain
from tests.cluster.binaries.families import ENVIRONMENT, cache

HERE = Path(__file__).parent
FLAGS = ("-trimpath", "-ldflags", "-s -w -buildid=")


def go_program(name: str) -> Path:
    """The program of the directory `name`, built when it is missing; static."""
    place = cache() / "binaries" / f"{name}-{digest(name)}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        go = toolchain.find() or toolchain.fetch()
        partial = place.with_name(f".{place.name}.{os.getpid()}")
        done = subprocess.run(
            ["nice", str(go), "build", "-p", "2", *FLAGS, "-o", str(partial), "."],
            cwd=HERE / name,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"go build {name}: {done.stderr}"
        partial.rename(place)
    return place


def digest(name: str) -> str:
    """Of everything that decides what is built, 16 hexadecimal digits."""
    found = hashlib.sha256(repr((FLAGS, sorted(ENVIRONMENT.items()))).encode())
    found.update(f"{toolchain.VERSION} {platform.machine()}".encode())
    for file in sorted((HERE / name).iterdir()):
        found.update(file.read_bytes())
    return found.hexdigest()[:16]
