"""The socket that clients of the broker find in its directory. Called by `server`."""

import socket
from pathlib import Path


def listen(path: Path, waiting: int) -> socket.socket:
    """A listening socket in place of the one that an earlier broker may have left; so many may wait
    to be accepted. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
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
