"""The specification as tables: a frame, a match, and whether the one takes the other.

Expected values are written by hand. Unit tests hold the matcher against them, kernel tests the
compiled program. A table is grown by a row, never by code that computes what to expect.
"""

from tests.spec.packets import (
    addresses,
    arrival,
    extensions,
    link,
    malformed,
    network,
    transport,
)
from tests.spec.packets.protect import PROTECT_ROWS, ProtectRow
from tests.spec.packets.row import Row

__all__ = ["PROTECT_ROWS", "ROWS", "ProtectRow", "Row"]

ROWS: tuple[Row, ...] = (
    *link.ROWS,
    *arrival.ROWS,
    *addresses.ROWS,
    *network.ROWS,
    *extensions.ROWS,
    *transport.ROWS,
    *malformed.ROWS,
)
