"""The pause image that kubelets of tests hold a pod's namespaces with: one static program.

Called by `build`. An archive as `ctr images import` reads it, kept by its content.
"""

import hashlib
import io
import json
import os
import platform
import tarfile
from pathlib import Path

from tests.cluster.binaries.families import cache
from tests.image.go_program import digest, go_program

NAME = "xdp-redirect-test/pause:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def pause_image() -> Path:
    """The archive, made when it is missing."""
    own = _sha256(Path(__file__).read_bytes())[:8]
    place = cache() / "images" / f"pause-{digest('pause')}-{own}.tar"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.{os.getpid()}")
        write_archive(partial, go_program("pause").read_bytes())
        partial.rename(place)
    return place


def write_archive(target: Path, program: bytes) -> None:
    """A docker-archive with one layer of one file, /pause."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        _add(archive, "pause", program, 0o755)
    content = layer.getvalue()
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(content)}"]},
        "history": [{"created_by": "tests/image/pause_image.py"}],
    }
    described = json.dumps(config).encode()
    name = f"{_sha256(described)}.json"
    manifest = [{"Config": name, "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add(archive, name, described)
        _add(archive, "layer.tar", content)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
