"""`xdpredirect operator`: from XdpRedirects to nodes, and back to their status."""

import click

from xdpredirect.cli.exits import EXIT_CODES
from xdpredirect.cli.extras import without_kopf
from xdpredirect.cli.logs import log_to_stderr
from xdpredirect.cli.options import settings_options
from xdpredirect.settings import Settings


@click.command(epilog=EXIT_CODES)
@settings_options("kubeconfig", "namespace", "probes", "silence_seconds", "agents", "log")
def operator(settings: Settings) -> int:
    """Tell every node of a cluster what it is to redirect, and say how it does.

    Reads XdpRedirects and Nodes, writes one XdpRedirectNode for each node that is selected, and
    the status of each XdpRedirect. Of several operators one acts, the others wait for its lease.
    SIGTERM ends it; frames keep being redirected.
    """
    with without_kopf():
        from xdpredirect.controller.process import run_operator  # noqa: PLC0415 - kopf
    log_to_stderr(settings.log, "kopf", "asyncio")
    return run_operator(settings)
