"""Pinned objects, opened for as long as they are needed, and directories of pins removed.

Called by `agent.act`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from xdpredirect.agent.plan import MAIN
from xdpredirect.kernel.bpf import open_pin
from xdpredirect.kernel.maps import open_map


@contextmanager
def opened_pin(path: Path) -> Iterator[int]:
    """Descriptor of a pinned object for the length of a `with` statement."""
    fd = open_pin(path)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def opened_maps(paths: Mapping[int, Path]) -> Iterator[dict[int, int]]:
    """Descriptors of pinned maps, under the numbers that `paths` gives them."""
    fds: dict[int, int] = {}
    try:
        for number, path in paths.items():
            fds[number] = open_map(path).fd
        yield fds
    finally:
        for fd in fds.values():
            os.close(fd)


def remove_tree(directory: Path) -> None:
    """Unpin everything below a directory of ours, then the directory. The main program goes
    first, so that a directory cut off in the middle is not taken for a whole generation."""
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir(), key=lambda path: path.name != f"prog-{MAIN}"):
        if path.is_dir():
            remove_tree(path)
        else:
            with suppress(FileNotFoundError):
                path.unlink()
    directory.rmdir()
