"""The page /metrics of the agent, where `--metrics` asks for it. Made by `agent.loop`.

A scrape reads what the last pass found; it looks at no map and never makes a pass wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

from xdpredirect import __version__
from xdpredirect.agent.metrics import CATALOGUE, Standing, samples
from xdpredirect.agent.passes import Passes
from xdpredirect.errors import InvalidInput
from xdpredirect.kernel.compile import Spent
from xdpredirect.metrics.exposition import CONTENT_TYPE, expose
from xdpredirect.metrics.process import process_samples
from xdpredirect.metrics.server import Answer, PageServer, listening


class Exporter:
    """Reads what the loop's thread keeps."""

    def __init__(self, passes: Passes, spent: Spent) -> None:
        self._passes, self._spent = passes, spent

    def page(self) -> Answer:
        """200 and all metrics."""
        standing = Standing(
            version=__version__,
            passes=self._passes,
            compilations=self._spent.compilations,
            compile_seconds=self._spent.seconds,
        )
        told = expose(CATALOGUE, chain(samples(standing), process_samples()))
        return Answer(200, told, CONTENT_TYPE)


@contextmanager
def serving(address: str, passes: Passes, spent: Spent) -> Iterator[PageServer]:
    """Answers on `address` as long as the block runs. Raises InvalidInput when it cannot."""
    try:
        pages = {"/metrics": Exporter(passes, spent).page}
        server = PageServer(*listening(address), pages, "metrics")
    except OSError as error:
        raise InvalidInput((f"--metrics: cannot listen on {address}: {error.strerror}",)) from None
    try:
        yield server
    finally:
        server.close()
