"""A process with the number of one that has ended: `python -m tests.kernel.same_number PID UID`.

Called by test_xsk_identity.py. Prints a line when it is there, and sleeps until it is ended.
"""

import ctypes
import os
import signal
import sys

from tests.kernel.powerless import give_everything_up

# On every architecture, as all newer system calls.
_CLONE3 = 435
_DEATH_SIGNAL = 1


class _CloneArguments(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size"),
            *("tls", "set_tid", "set_tid_size", "cgroup"),
        )
    ]


def _clone(pid: int) -> int:
    """As fork; the child's number is `pid`. Raises OSError, EEXIST when it is taken."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_int32(pid)
    arguments = _CloneArguments(
        exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(number), set_tid_size=1
    )
    child = libc.syscall(_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))
    if child < 0:
        raise OSError(ctypes.get_errno(), f"clone3 as {pid}")
    return int(child)


def _main(pid: int, uid: int) -> None:
    child = _clone(pid)
    if child:
        os.waitpid(child, 0)
        return
    give_everything_up(uid)
    # After the change of user, which takes it away.
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    assert os.getpid() == pid
    print("there", flush=True)
    signal.pause()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
