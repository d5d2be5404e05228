"""Runs `xdpredirect` as nobody without capabilities: `python -m tests.kernel.powerless receive p1`.

Called by test_xsk_receive.py and test_xsk_identity.py. The modules are read before, by root: nobody
else may read a checkout in root's home.
"""

import ctypes
import os
from pathlib import Path

import xdpredirect.cli.receive
from xdpredirect.cli.main import main

NOBODY = 65534
_NO_NEW_PRIVS = 38


def give_everything_up(uid: int = NOBODY) -> None:
    """Root no more, nor anything that root may do. Raises AssertionError when something is left."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    held = [line for line in Path("/proc/self/status").read_text().splitlines() if "Cap" in line]
    none = "0" * 16
    assert {f"Cap{kind}:\t{none}" for kind in ("Inh", "Prm", "Eff", "Amb")} <= set(held), held


if __name__ == "__main__":
    assert xdpredirect.cli.receive.receive.name == "receive"
    give_everything_up()
    main()
