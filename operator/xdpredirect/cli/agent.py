"""`xdpredirect agent`: the long-running loop, one per network namespace."""

import click

from xdpredirect.agent.lock import hold
from xdpredirect.cli.exits import EXIT_CODES
from xdpredirect.cli.logs import log_to_stderr
from xdpredirect.cli.options import GENERAL, settings_options
from xdpredirect.cli.runtime import Runtime
from xdpredirect.settings import Settings


@click.command(epilog=EXIT_CODES)
@settings_options("files", "node", "kubeconfig", "resync_seconds", *GENERAL)
@click.pass_obj
def agent(runtime: Runtime, /, settings: Settings) -> int:
    """Keep the kernel as a directory of objects, or the cluster, says.

    Follows the directory, links, addresses and renames. One agent per network namespace; a lock
    on the state and bpffs directories stops a second one. SIGTERM ends it and leaves the datapath
    in place: frames keep being redirected, the next agent takes over without losing one.

    Without --files it follows what `xdpredirect apply` keeps, and apply waits for it. With --node
    it follows the XdpRedirectNode of that name and writes its status; while the API server is
    away, and when that object is gone, it keeps what it was told last, over reboots too.
    """
    log_to_stderr(settings.log)
    with hold(settings.state_dir, settings.bpffs, settings.files):
        return runtime.machine().run_agent(settings)
