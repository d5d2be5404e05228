"""A file whose close() waits for its file system, which does not answer: FUSE, by hand.

Used by test_xsk_closing.py. Layout of what is read from and written to /dev/fuse:
include/uapi/linux/fuse.h.
"""

import ctypes
import errno
import os
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOKUP, _FORGET, _GETATTR, _OPEN, _RELEASE, _FLUSH, _INIT, _INTERRUPT = 1, 2, 3, 14, 18, 25, 26, 36
_REQUEST = struct.Struct("=IIQQIIII")
_REPLY = struct.Struct("=IiQ")
_FORCE, _DETACH = 1, 2
_FILE_NODE = 2


class StubbornFile:
    """Open at `fd`, the caller's to close. Each close() is answered until `stubborn` is set."""

    def __init__(self, device: int) -> None:
        self._device = device
        self.stubborn = False
        self.fd = -1

    def serve(self) -> None:
        """Until the file system is unmounted."""
        while True:
            try:
                request = os.read(self._device, 1 << 17)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return
            _, opcode, unique, node, *_ = _REQUEST.unpack_from(request)
            if opcode in (_FORGET, _INTERRUPT) or (opcode == _FLUSH and self.stubborn):
                continue
            body = _answer(opcode, node)
            status = 0 if body is not None else -errno.ENOSYS
            body = body or b""
            os.write(self._device, _REPLY.pack(_REPLY.size + len(body), status, unique) + body)


def _answer(opcode: int, node: int) -> bytes | None:
    if opcode == _INIT:
        return struct.pack("=IIIIHHIIHHI28x", 7, 31, 0, 0, 16, 12, 4096, 1, 1, 0, 0)
    if opcode == _LOOKUP:
        return struct.pack("=QQQQII", _FILE_NODE, 0, 0, 0, 0, 0) + _attributes(_FILE_NODE)
    if opcode == _GETATTR:
        return struct.pack("=QII", 0, 0, 0) + _attributes(node)
    if opcode == _OPEN:
        return struct.pack("=QIi", 1, 0, 0)
    return b"" if opcode in (_RELEASE, _FLUSH) else None


def _attributes(node: int) -> bytes:
    mode = stat.S_IFREG | 0o666 if node == _FILE_NODE else stat.S_IFDIR | 0o755
    return struct.pack("=6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


@contextmanager
def stubborn_file(directory: Path) -> Iterator[StubbornFile]:
    """Mounted at an empty directory; at the end of the `with` every close() that waits returns."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"stubborn", bytes(directory), b"fuse", 0, options):
        os.close(device)
        raise OSError(ctypes.get_errno(), f"mount fuse at {directory}")
    made = StubbornFile(device)
    thread = threading.Thread(target=made.serve, name="fuse")
    thread.start()
    try:
        made.fd = os.open(directory / "file", os.O_RDONLY | os.O_CLOEXEC)
        yield made
    finally:
        # By force: what waits for an answer gets an error, and so does the thread.
        failed = libc.umount2(bytes(directory), _FORCE | _DETACH)
        assert not failed, os.strerror(ctypes.get_errno())
        thread.join()
        os.close(device)
