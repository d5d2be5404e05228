"""Builds the images again, from nothing, and compares them with those that are there.

Run as `python -m tests.image.twice`, some five minutes; not a test, for these minutes. Exit code 1
when a layer differs, naming the files that do.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.image.archive import Archive
from tests.image.build import BUILD_SECONDS, ROOT, images


def main() -> int:
    """Two builds of what is in the checkout now."""
    first = images()
    with tempfile.TemporaryDirectory(prefix="xdpredirect-twice-", dir="/var/tmp") as directory:
        done = subprocess.run(
            [str(ROOT / "scripts" / "image.sh")],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=BUILD_SECONDS,
            env={**os.environ, "XDG_CACHE_HOME": directory},
        )
        again = Path(done.stdout.strip())
        differing = [
            line
            for path in (first.operator, first.agent)
            for line in differences(Archive(path), Archive(again / path.name))
        ]
    print("\n".join(differing) or "the same layers, digest for digest")
    return 1 if differing else 0


def differences(one: Archive, other: Archive) -> Iterator[str]:
    """A line for each layer and file that is not the same."""
    name = one.path.stem
    for number, (left, right) in enumerate(zip(one.layers, other.layers, strict=True)):
        print(f"{name}, layer {number}: {left}")
        if left != right:
            yield f"{name}, layer {number}: {right} the second time"
            before, after = contents(one, number), contents(other, number)
            for path in sorted(before.keys() | after.keys()):
                if before.get(path) != after.get(path):
                    yield f"  {path}: {before.get(path)} / {after.get(path)}"


def contents(archive: Archive, number: int) -> dict[str, tuple[object, ...]]:
    """What a layer says of each of its paths."""
    found: dict[str, tuple[object, ...]] = {}
    for layer, (entry, content) in archive.contents():
        if layer == number:
            found[entry.name] = described(entry, content)
    return found


def described(entry: tarfile.TarInfo, content: bytes) -> tuple[object, ...]:
    """All that a digest of the layer depends on."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    return (entry.type, oct(entry.mode), entry.uid, entry.gid, entry.mtime, entry.linkname, digest)


if __name__ == "__main__":
    sys.exit(main())
