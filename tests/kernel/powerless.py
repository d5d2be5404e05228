"""Runs `xdpredirect`, or a script, as nobody without capabilities:

    python -m tests.kernel.powerless receive p1
    python -m tests.kernel.powerless count.py

Called by test_xsk_*.py. Modules and script are read before, by root: nobody else may read a
checkout in root's home.
"""

import ctypes
import os
import sys
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
    script = Path(sys.argv[1])
    code = compile(script.read_text(), script, "exec") if script.suffix == ".py" else None
    give_everything_up()
    if code is None:
        main()
    else:
        exec(code)
