"""`xdpredirect receive`: take an AF_XDP socket from the agent and print what comes in."""

from itertools import islice
from typing import TypedDict, Unpack

import click

from xdpredirect.cli.exits import DONE, EXIT_CODES, say
from xdpredirect.cli.options import settings_options
from xdpredirect.settings import Settings
from xdpredirect.xsk.client import XskSocket, take
from xdpredirect.xsk.messages import MOST_BUDGET, Bound, Take


class ReceiveOptions(TypedDict):
    """What `receive` is told on its command line."""

    interface: str
    queue: int
    count: int | None
    busy_poll: int | None
    quiet: bool
    own_device: str | None


@click.command(epilog=EXIT_CODES)
@click.argument("interface", envvar="XDPREDIRECT_INTERFACE")
@click.option(
    "--queue", type=click.IntRange(0, 9999), default=0, show_default=True, metavar="N",
    envvar="XDPREDIRECT_QUEUE", show_envvar=True, help="receive queue of the interface",
)  # fmt: skip
@click.option(
    "--count", type=click.IntRange(1), metavar="N",
    envvar="XDPREDIRECT_COUNT", show_envvar=True, help="end after so many frames",
)  # fmt: skip
@click.option(
    "--busy-poll", type=click.IntRange(1, MOST_BUDGET), metavar="N",
    envvar="XDPREDIRECT_BUSY_POLL", show_envvar=True,
    help="take frames from the device with a CPU of its own, up to so many at once",
)  # fmt: skip
@click.option(
    "--quiet", is_flag=True,
    envvar="XDPREDIRECT_QUIET", show_envvar=True, help="print no frames, only how many there were",
)  # fmt: skip
@click.option(
    "--own-device", metavar="DEVICE",
    envvar="XDPREDIRECT_OWN_DEVICE", show_envvar=True,
    help="make the socket here, of this device, which the agent knows as INTERFACE",
)  # fmt: skip
@settings_options("sockets_dir")
def receive(*, settings: Settings, **options: Unpack[ReceiveOptions]) -> int:
    """Take the AF_XDP socket of a queue and print every frame: its octets, then their values.

    Needs an agent and a rule of type Sockets with the user who runs this among its clients, and no
    privileges. Ends with Ctrl-C. In a pod that has claimed a queue, interface and queue need not be
    given. With --own-device the interface was moved into this network namespace, and CAP_NET_RAW is
    needed.
    """
    quiet = options["quiet"]
    with _opened(settings, options) as socket:
        say(_beginning(socket.bound))
        taken = 0
        try:
            for frame in islice(socket.frames(), options["count"]):
                taken += 1
                if not quiet:
                    click.echo(f"{len(frame)} {frame.hex()}")
        finally:
            say(_summary(socket, taken))
    return DONE


def _opened(settings: Settings, options: ReceiveOptions) -> XskSocket:
    interface, queue, device = options["interface"], options["queue"], options["own_device"]
    if device is None:
        wanted = Take(interface, queue, multi_buffer=True, busy_poll=options["busy_poll"])
        return take(settings.sockets_dir, wanted)
    if options["busy_poll"] is not None:
        raise click.UsageError("the agent sets --busy-poll on sockets of its own; leave it out")
    from xdpredirect.xsk.own import Own, bring  # noqa: PLC0415 - most need it not

    return bring(settings.sockets_dir, interface, Own(device, queue))


def _beginning(bound: Bound) -> str:
    how = "zero-copy" if bound.zero_copy else "copied"
    polled = "" if bound.busy_poll is None else f", polled for {bound.busy_poll} at once"
    place = f"queue {bound.queue} of {bound.interface}"
    return f"receiving from {place}, {how} to {bound.frames} frames{polled}"


def _summary(socket: XskSocket, taken: int) -> str:
    lost = socket.statistics()
    how = (socket.bound.zero_copy, socket.bound.multi_buffer)
    memory, otherwise = lost.for_want_of_memory(*how), lost.dropped_otherwise(*how)
    return (
        f"{taken} frames; lost: {lost.rx_ring_full} for a full ring, "
        f"{memory} for want of memory, {otherwise} otherwise"
    )
