"""`xdpredirect uninstall`: takes out what the manifests do not know of, redirects first."""

import signal

import click

from xdpredirect.cli.exits import EXIT_CODES, say
from xdpredirect.cli.extras import without_kopf
from xdpredirect.cli.logs import log_to_stderr
from xdpredirect.cli.options import settings_options
from xdpredirect.settings import Settings


@click.command(epilog=EXIT_CODES)
@click.option(
    "--within",
    type=click.FloatRange(1, 86400),
    default=210,
    show_default=True,
    metavar="SECONDS",
    envvar="XDPREDIRECT_WITHIN",
    show_envvar=True,
    help="how long to wait in all; a node that died takes twice --silence-seconds",
)
@settings_options("kubeconfig", "namespace", "silence_seconds", "log")
def uninstall(settings: Settings, within: float) -> int:
    """Take everything out of a cluster, so that no frame is redirected any more.

    Deletes all XdpRedirects and waits until the nodes have let go; where no operator runs, it does
    an operator's work meanwhile. Then it ends the operators and removes the agents, their labels,
    node objects and the lease. CRDs, roles, policies and address sets stay: they go with the
    manifests that brought them. The chart runs this before `helm uninstall` removes them.
    """
    with without_kopf():
        from xdpredirect.controller.uninstall import run_uninstall  # noqa: PLC0415 - kopf
    log_to_stderr(settings.log, "kopf", "asyncio")
    # The first process of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    silent = run_uninstall(settings, within)
    if silent:
        names = ", ".join(silent)
        say(f"never answered, and may redirect until they are started again: {names}")
        say("or run `xdpredirect delete --all` on each of them")
    say("removed; CRDs, roles and policies go with the manifests that brought them")
    return 0
