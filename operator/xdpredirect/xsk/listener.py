"""The socket that clients of the broker find in its directory. Called by `door`."""

import errno
import socket
from pathlib import Path

_DEAD = (FileNotFoundError, ConnectionRefusedError)


def listen(path: Path, waiting: int) -> socket.socket:
    """A listening socket in place of the one that an earlier broker may have left; so many may wait
    to be accepted. Raises OSError, EADDRINUSE when somebody listens there already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    if _is_heard(path):
        # Its clients would find this one, which knows nothing of their sockets.
        words = "another agent listens there: end it, or give each a --sockets-dir of its own"
        raise OSError(errno.EADDRINUSE, words, str(path))
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        listener.bind(str(new))
        new.chmod(0o666)
        listener.listen(waiting)
        new.replace(path)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_heard(path: Path) -> bool:
    """Whether a living process listens at `path`.

    Asked of the socket itself: the kernel closes it with its owner, so nobody has to tidy up after
    one that was killed. A file to be locked could be locked by any pod that has the directory
    mounted, and would keep the next agent away for ever.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except _DEAD:
            return False
        except BlockingIOError:
            # So many wait for it that there is no room for one more.
            return True
    return True
