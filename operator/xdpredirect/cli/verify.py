"""`xdpredirect verify`: an installation in a cluster, checked from outside of its processes."""

import click

from xdpredirect import __version__
from xdpredirect.cli.exits import DONE, EXIT_CODES, FAILED
from xdpredirect.cli.options import settings_options
from xdpredirect.cluster.api import Api
from xdpredirect.controller.verify import verify as look
from xdpredirect.settings import Settings


@click.command(epilog=EXIT_CODES)
@click.option(
    "--within",
    type=click.FloatRange(0, 86400),
    default=45,
    show_default=True,
    metavar="SECONDS",
    envvar="XDPREDIRECT_WITHIN",
    show_envvar=True,
    help="how long agents that have just started get to be ready",
)
@settings_options("kubeconfig", "namespace")
def verify(settings: Settings, within: float) -> int:
    """Check an installation in a cluster: `helm test` runs this.

    The CRDs are served and of this version, an operator leads, wrong objects are refused and right
    ones are not, and no agent that is wanted is missing. Nothing is changed. Exit code 1 when
    something is wrong; each line then says what mends it.
    """
    api = Api.connect(settings.kubeconfig, f"xdpredirect-verify/{__version__}")
    try:
        problems = 0
        for check in look(api, settings.namespace, within):
            problems += bool(check.problem)
            click.echo(
                f"{'✗' if check.problem else '✓'} {check.name}: {check.problem or check.found}"
            )
    finally:
        api.close()
    return FAILED if problems else DONE
