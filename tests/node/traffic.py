"""Frames that never pause, on every node, counted to the last: what a disturbance must not lose.

with Traffic(product, "p1") as traffic:
    disturb()
    traffic.until(lambda: converged(), "it has converged")

The end of `with` compares what was sent with what arrived.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType

from tests.kernel.lab import Counter, Stream
from tests.kernel.switch import udp
from tests.node.product import Product

FRAMES_PER_SECOND = 300
# Destination port of these frames, so that nothing else is taken for one of them.
PORT = 4242


class Traffic:
    """Into `in` of each of `nodes` (all unless named); every frame is to come out of `out`."""

    def __init__(self, product: Product, out: str, nodes: Sequence[str] = ()) -> None:
        self._product, self._out = product, out
        self._nodes = tuple(nodes) or tuple(product.machines.nodes)
        self._frame = udp(PORT)
        self._counters: dict[str, Counter] = {}
        self._streams: dict[str, Stream] = {}

    def __enter__(self) -> "Traffic":
        with ExitStack() as stack, ExitStack() as counting:
            for node in self._nodes:
                far = self._product.wires(node).far
                wanted = far[self._out].counter(lambda frame: frame == self._frame)
                self._counters[node] = counting.enter_context(wanted)
                stream = far["in"].stream(lambda _: self._frame, rate=FRAMES_PER_SECOND)
                self._streams[node] = stack.enter_context(stream)
            self._sending, self._counting = stack.pop_all(), counting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._counting:
            self._sending.__exit__(kind, error, trace)
            if error is None:
                self._check()

    def drain(self) -> None:
        """Reads what has arrived; to be called before the sockets' buffers are full."""
        for counter in self._counters.values():
            counter.drain()

    def until(self, holds: Callable[[], object], what: str) -> None:
        """As `Product.until`, while frames flow."""

        def drained() -> object:
            self.drain()
            return holds()

        self._product.until(drained, what)

    def _check(self) -> None:
        lost: dict[str, int] = {}
        for node, counter in self._counters.items():
            sent = self._streams[node].sent
            assert sent > 0, node
            counter.wait(sent)
            lost[node] = sent - len(counter.settled())
        assert not any(lost.values()), f"lost by node: {lost}\n{self._product.evidence()}"
