"""Carries out the settings of `agent.prepare` and keeps their originals on disk.

Called by the agent's act step, one action at a time.
"""

import errno
import json
import os
import socket
import struct
from pathlib import Path
from typing import assert_never

from xdpredirect.agent.prepare import (
    Forget,
    Record,
    Recorded,
    SetOffload,
    SetPromiscuous,
    SettingAction,
)
from xdpredirect.errors import KernelError
from xdpredirect.kernel.ethtool import Ethtool
from xdpredirect.kernel.netlink import NETLINK_ROUTE, Netlink

_FILE = "prepared.json"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RTM_SETLINK, _IFF_PROMISC = 19, 0x100
_IFINFO = struct.Struct("=BxHiII")  # family, type, index, flags, change


def read_recorded(state_dir: Path) -> tuple[Recorded, ...]:
    """Originals of settings that were changed since the machine started, sorted.

    A restart of the machine undoes every setting, so older entries count for nothing. KernelError
    when the file is damaged, which only somebody else can have done.
    """
    path = state_dir / _FILE
    try:
        content = json.loads(path.read_text())
        if content["boot"] != _boot():
            return ()
        return tuple(
            sorted(
                Recorded(
                    ifindex=int(entry["ifindex"]),
                    mac=bytes.fromhex(entry["mac"]),
                    knob=str(entry["knob"]),
                    original=entry["original"] is True,
                )
                for entry in content["recorded"]
            )
        )
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        raise KernelError(
            f"read {path}",
            errno.EBADMSG,
            "remove it; settings changed so far then stay as they are",
        ) from error
    except OSError as error:
        raise KernelError(f"read {path}", error.errno or errno.EIO) from error


def perform(action: SettingAction, state_dir: Path) -> None:
    """Carries out one action in the calling thread's network namespace. Raises KernelError."""
    match action:
        case Record(recorded):
            _write(state_dir, {*read_recorded(state_dir), recorded})
        case Forget(recorded):
            _write(state_dir, set(read_recorded(state_dir)) - {recorded})
        case SetOffload():
            _set_offload(action)
        case SetPromiscuous():
            flag = _IFF_PROMISC if action.on else 0
            request = _IFINFO.pack(0, 0, action.ifindex, flag, _IFF_PROMISC)
            with Netlink(NETLINK_ROUTE) as netlink:
                netlink.request(f"set promisc of {action.name}", _RTM_SETLINK, request)
        case _:
            assert_never(action)


def _set_offload(action: SetOffload) -> None:
    operation = f"set {action.offload} of {action.name}"
    try:
        # The link may have another name by now.
        name = socket.if_indextoname(action.ifindex)
    except OSError as error:
        raise KernelError(operation, error.errno or errno.ENODEV) from error
    with Ethtool() as ethtool:
        if not ethtool.set_offload(name, action.offload, action.on):
            raise KernelError(operation, errno.EOPNOTSUPP, "the driver keeps it as it is")


def _write(state_dir: Path, recorded: set[Recorded]) -> None:
    """Replaces the file; it is on disk, whole, when this returns."""
    content = {
        "boot": _boot(),
        "recorded": [
            {"ifindex": e.ifindex, "mac": e.mac.hex(), "knob": e.knob, "original": e.original}
            for e in sorted(recorded)
        ],
    }
    path, fresh = state_dir / _FILE, state_dir / f"{_FILE}.new"
    try:
        with fresh.open("w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        directory = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise KernelError(f"write {path}", error.errno or errno.EIO) from error


def _boot() -> str:
    return _BOOT_ID.read_text().strip()
