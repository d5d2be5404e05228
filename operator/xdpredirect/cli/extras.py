"""What only some installations have: packages of the extra `operator`, which no agent needs.

Called by the commands that act for a whole cluster.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from xdpredirect.errors import InvalidInput


@contextmanager
def without_kopf() -> Iterator[None]:
    """Around an import that needs what no agent is installed with. Raises InvalidInput, which says
    how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        words = f"{error.name} is missing: pip install 'xdp-redirect-operator[operator]'"
        raise InvalidInput((words,)) from None
