"""`xdpredirect monitor` on a host of the lab, with traffic inside its interval. Used by
test_monitor*.py."""

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

from tests.kernel.lab import Host
from tests.kernel.loaded import CACHE
from xdpredirect.cli.main import invoke
from xdpredirect.cli.runtime import Runtime, this_machine


def monitor(host: Host, *words: str, traffic: Callable[[], object] = lambda: None) -> str:
    """Standard output of the command; `traffic` runs instead of each wait for an interval."""
    settings = {"bpffs": str(host.bpffs / "xdpredirect"), "state_dir": str(host.state_dir)}
    if not (host.state_dir / "cache").exists():
        (host.state_dir / "cache").symlink_to(CACHE)
    runtime = Runtime(machine=this_machine, given=settings, sleep=lambda _: void(traffic()))
    out, err = io.StringIO(), io.StringIO()
    with host.enter(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(("monitor", *words), runtime)
    assert code == 0, err.getvalue()
    return out.getvalue()


def once(host: Host, *words: str, traffic: Callable[[], object]) -> Any:
    """The document of `monitor --once -o json`."""
    return json.loads(monitor(host, "--once", "-o", "json", *words, traffic=traffic))


def void(_: object) -> None:
    """Waits return nothing."""
