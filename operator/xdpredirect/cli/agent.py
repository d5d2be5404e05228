"""`xdpredirect agent`: the long-running loop, one per network namespace."""

import click

from xdpredirect.agent.lock import hold
from xdpredirect.agent.store import Store, node_dir
from xdpredirect.cli.exits import EXIT_CODES
from xdpredirect.cli.logs import log_to_stderr
from xdpredirect.cli.options import GENERAL, settings_options
from xdpredirect.cli.runtime import Runtime
from xdpredirect.errors import Locked
from xdpredirect.settings import Settings


@click.command(epilog=EXIT_CODES)
@settings_options(
    "files",
    "node",
    "kubeconfig",
    "resync_seconds",
    "report_seconds",
    "metrics",
    "sockets_dir",
    "plugins_dir",
    "cdi_dir",
    *GENERAL,
)
@click.pass_obj
def agent(runtime: Runtime, /, settings: Settings) -> int:
    """Keep the kernel as a directory of objects, or the cluster, says.

    Follows the directory, links, addresses and renames. One agent per network namespace; a lock
    on the state and bpffs directories stops a second one. SIGTERM ends it and leaves the datapath
    in place: frames keep being redirected, the next agent takes over without losing one.

    Without --files it follows what `xdpredirect apply` keeps, and apply waits for it. With --node
    it follows the XdpRedirectNode of that name and writes its status; while the API server is
    away, and when that object is gone, it keeps what it was told last, over reboots too.

    While there is a rule of type Sockets it hands out AF_XDP sockets, at a socket in --sockets-dir.
    With --plugins-dir, kubelet's plugins_registry, pods of the node may claim their queues.
    """
    log_to_stderr(settings.log)
    with hold(settings.state_dir, settings.bpffs, settings.files):
        if not settings.node:
            _refuse_a_clusters_node(settings)
        return runtime.machine().run_agent(settings)


def _refuse_a_clusters_node(settings: Settings) -> None:
    """What the cluster wants here is in no directory that we would follow: all of it would be
    detached for a forgotten option."""
    if Store(settings.state_dir).other_source() == node_dir(settings.state_dir):
        raise Locked(
            str(settings.state_dir),
            "the objects of a cluster (give --node as before, or clear the machine with "
            "`xdpredirect delete --all`)",
        )
