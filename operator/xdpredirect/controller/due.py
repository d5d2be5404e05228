"""What has to be planned. Pure; filled by `fleet`, passed on by `loop`."""

from typing import NamedTuple


class Due(NamedTuple):
    """Keys to plan for. Of the redirects in `counters` nothing but counters changed."""

    redirects: frozenset[str]
    nodes: frozenset[str]
    counters: frozenset[str] = frozenset()
