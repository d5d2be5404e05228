"""Runs `xdpredirect`, or a script, as nobody without capabilities:

    python -m tests.kernel.powerless receive p1
    python -m tests.kernel.powerless count.py
    python -m tests.kernel.powerless --net-raw receive p1 --own-device p1

With --net-raw one capability is left, that of containers by default.

Called by test_xsk_*.py. Modules and script are read before, by root: nobody else may read a
checkout in root's home.
"""

import ctypes
import os
import struct
import sys
from pathlib import Path

import xdpredirect.cli.receive
import xdpredirect.xsk.own
from xdpredirect.cli.main import main

NOBODY = 65534
_NO_NEW_PRIVS, _KEEPCAPS = 38, 8
_NET_RAW = 1 << 13
_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def give_everything_up(uid: int = NOBODY, left: int = 0) -> None:
    """Root no more, nor anything that root may do but `left`, a set of capabilities. Raises
    AssertionError when something else is left."""
    os.setgroups([])
    _libc.prctl(_KEEPCAPS, 1, 0, 0, 0)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # struct __user_cap_header_struct and two of __user_cap_data_struct (linux/capability.h).
    header = struct.pack("=Ii", _VERSION_3, 0)
    assert not _libc.capset(header, struct.pack("=6I", left, left, 0, 0, 0, 0)), ctypes.get_errno()
    _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    held = [line for line in Path("/proc/self/status").read_text().splitlines() if "Cap" in line]
    kinds = {"Inh": 0, "Prm": left, "Eff": left, "Amb": 0}
    assert {f"Cap{kind}:\t{caps:016x}" for kind, caps in kinds.items()} <= set(held), held


if __name__ == "__main__":
    assert xdpredirect.cli.receive.receive.name == "receive"
    assert xdpredirect.xsk.own.bring.__name__ == "bring"
    capabilities = 0
    if sys.argv[1] == "--net-raw":
        capabilities = _NET_RAW
        del sys.argv[1]
    script = Path(sys.argv[1])
    code = compile(script.read_text(), script, "exec") if script.suffix == ".py" else None
    give_everything_up(left=capabilities)
    if code is None:
        main()
    else:
        exec(code)
