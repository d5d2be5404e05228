"""A file that exists while this agent has acted on what the cluster wants of its node.

Kept by `agent.node_source`; the readinessProbe of the agents' DaemonSet asks whether it is there.
Readiness gates a rolling update: a broken image has to stop it after the first nodes, a user's
wrong object must not. So an agent is not ready

- before the API server has told it once what is wanted, and before a pass has acted on that;
- while it refuses the spec (AgentTooOld, InvalidSpec), could not observe or keep its files, waits
  for address sets, or failed to compile, to load, or to fill maps;

and it is ready though an object is Conflicted, its interface is missing, a driver refuses the
program or somebody else's program holds the hook: the status tells that. Without a node object
nothing is wanted, which is soon done. An API server that goes away later changes nothing either:
every agent of the cluster would become unready, and none of them is to blame.
"""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpredirect.agent.actions import Action, Attach, Detach, Swap
from xdpredirect.errors import KernelError, XdpRedirectError

READY_FILE = Path("run", "ready")
"""In the state directory. A pod has run/ to itself: what the pod before it left says nothing."""
_NO_RIGHT = (errno.EPERM, errno.EACCES)
log = logging.getLogger("xdpredirect.agent")


class Readiness:
    """The file `state_dir`/run/ready."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / READY_FILE

    def say(self, ready: bool) -> None:
        """Make the file or remove it. That this fails is logged: it stops no pass."""
        try:
            if ready:
                self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.error("%s: %s", self._path, error)


@contextmanager
def readiness(state_dir: Path) -> Iterator[Readiness]:
    """Not ready at first, and not any more after the block."""
    made = Readiness(state_dir)
    made.say(False)
    try:
        yield made
    finally:
        made.say(False)


def own_fault(action: Action, error: XdpRedirectError) -> bool:
    """Whether a failed action is to be put down to the agent, its image or its rights. The hook of
    an interface is its driver's, or somebody else's: what these refuse is not."""
    hooking = isinstance(action, Attach | Swap | Detach)
    return not (hooking and isinstance(error, KernelError) and error.errno not in _NO_RIGHT)
