"""Who is at the other end of a connection, by the kernel's word. Called by `door`.

SO_PEERPIDFD (Linux 6.5) leads to the very process that connected. Before it there was its number
only, which may be another's by the time that it is looked at: the process that has it must at
least belong to the same user.
"""

import errno
import os
import select
import socket
import struct
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from xdpredirect.xsk.cgroup import ManyPods, kubelet_roots, pod_of
from xdpredirect.xsk.grants import Peer
from xdpredirect.xsk.uapi import SO_NETNS_COOKIE, SO_PEERPIDFD

_CREDENTIALS = struct.Struct("=3i")
_PROC = Path("/proc")


class Unidentified(Exception):
    """The message says why."""


def identify(connection: socket.socket) -> tuple[Peer, int]:
    """The peer and a pidfd of it, to be closed by the caller; readable once the process ended.

    Raises Unidentified for a process that has ended, or that this PID namespace does not have.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    if pid == 0:
        raise Unidentified("its process is in another PID namespace; the agent needs the host's")
    try:
        pidfd = _peer_pidfd(connection)
        if pidfd is None:
            pidfd = pidfd_by_number(pid, uid)
    except ProcessLookupError as error:
        raise Unidentified(f"process {pid} has ended") from error
    try:
        return Peer(pid, uid, _pod(pid, pidfd), netns_of(connection)), pidfd
    except BaseException:
        os.close(pidfd)
        raise


def netns_of(connection: socket.socket) -> int:
    """The number of the network namespace that a socket was made in, 0 where the kernel tells none
    (before Linux 5.14). One that was accepted is of the namespace of the socket that connected
    (net/unix/af_unix.c, unix_stream_connect), whatever process holds it."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return 0
        raise
    return int.from_bytes(raw, sys.byteorder)


def has_ended(pidfd: int) -> bool:
    """Whether the process is no more."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _peer_pidfd(connection: socket.socket) -> int | None:
    """None where the kernel has none to give."""
    try:
        return connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return None
        if error.errno in (errno.ESRCH, errno.EINVAL, errno.ENODATA):
            raise ProcessLookupError from error
        raise


def pidfd_by_number(pid: int, uid: int) -> int:
    """A pidfd of the process that has this number now, if it is of this user. Raises
    ProcessLookupError."""
    pidfd = os.pidfd_open(pid)
    try:
        if _effective_uid(pid) != uid or has_ended(pidfd):
            raise ProcessLookupError
    except BaseException as error:
        os.close(pidfd)
        if isinstance(error, FileNotFoundError):
            raise ProcessLookupError from error
        raise
    return pidfd


def _effective_uid(pid: int) -> int:
    lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    return next(int(line.split()[2]) for line in lines if line.startswith("Uid:"))


def _cgroups(process: str) -> str:
    # A name may hold any octet but a slash; such a one is no pod's.
    return (_PROC / process / "cgroup").read_text(errors="replace")


@cache
def _roots() -> Mapping[str, str]:
    return kubelet_roots(_cgroups("self"))


def _pod(pid: int, pidfd: int) -> str:
    try:
        pod = pod_of(_cgroups(str(pid)), _roots())
    except ManyPods as error:
        raise Unidentified(str(error)) from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Unidentified(f"process {pid} has ended") from error
    if has_ended(pidfd):
        # The number may have been another process's when the file was read.
        raise Unidentified(f"process {pid} has ended")
    return pod
