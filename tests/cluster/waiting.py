"""Waiting for a condition with an end. Called everywhere in tests/cluster.

The limit is generous on purpose: it only bounds a failure, it measures nothing.
"""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 180.0


def until(
    holds: Callable[[], object],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    evidence: Callable[[], str] = str,
) -> None:
    """Asks again and again until `holds()` is true; AssertionError with `evidence()` otherwise."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{evidence()}"
        time.sleep(0.05)
