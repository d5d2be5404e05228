"""`xdpredirect agent`: the long-running loop, one per network namespace."""

import click

from xdpredirect.agent.lock import hold
from xdpredirect.cli.exits import EXIT_CODES
from xdpredirect.cli.logs import log_to_stderr
from xdpredirect.cli.options import GENERAL, settings_options
from xdpredirect.cli.runtime import Runtime
from xdpredirect.settings import Settings


@click.command(epilog=EXIT_CODES)
@settings_options("files", "resync_seconds", *GENERAL)
@click.pass_obj
def agent(runtime: Runtime, /, settings: Settings) -> int:
    """Keep the kernel as a directory of objects says.

    Follows the directory, links, addresses and renames. One agent per network namespace; a lock
    on the state and bpffs directories stops a second one. SIGTERM ends it and leaves the datapath
    in place: frames keep being redirected, the next agent takes over without losing one.

    Without --files it follows what `xdpredirect apply` keeps, and apply waits for it.
    """
    log_to_stderr(settings.log)
    with hold(settings.state_dir, settings.bpffs, settings.files):
        return runtime.machine().run_agent(settings)
