"""Writes docs/drop-reasons.md to standard output: `python -m xdpredirect.reasons`."""

import sys

from xdpredirect.reasons.page import page

sys.stdout.write(page())
