"""Changes of one directory, as a descriptor for poll. Called by `agent.loop`.

Source: inotify(7). The standard library has no binding, and a file watcher package brings threads.
"""

import ctypes
import errno
import os
from pathlib import Path
from typing import Self

from xdpredirect.errors import KernelError

_CHANGES = 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400  # close_write moved_* create delete(_self)
_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Use it in a `with` statement. Raises KernelError when the directory cannot be watched."""

    def __init__(self, directory: Path) -> None:
        self._fd = int(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            raise KernelError("watch files", ctypes.get_errno())
        if _libc.inotify_add_watch(self._fd, os.fsencode(directory), _CHANGES) < 0:
            code = ctypes.get_errno()
            os.close(self._fd)
            raise KernelError(f"watch {directory}", code)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        """Readable when something changed."""
        return self._fd

    def drain(self) -> bool:
        """Take every waiting event; whether there was one."""
        found = False
        while True:
            try:
                found = bool(os.read(self._fd, 65536)) or found
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return found
                raise KernelError("read file changes", error.errno or errno.EIO) from error
