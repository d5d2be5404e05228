"""Takes everything of the product out of a cluster that its manifests do not: redirects first.

Called by the command `uninstall`, which the chart runs before `helm uninstall` removes the rest. It
takes part in the election of operators: where one runs, that one sees to it that nodes let go;
where none does, this process is it for as long as that takes. What can be done next is decided by
`removal`; each round looks at the cluster anew, so that a run may follow one that was cut off.
"""

import logging
import random
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from xdpredirect import __version__
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.resource import LEASES
from xdpredirect.controller.election import Election
from xdpredirect.controller.lease import LEASE, PATIENCE
from xdpredirect.controller.process import Leader
from xdpredirect.controller.remains import Observer
from xdpredirect.controller.removal import Remains, advice, steps, waiting
from xdpredirect.controller.remove import perform
from xdpredirect.errors import ApiError, XdpRedirectError
from xdpredirect.settings import Settings, this_pod

ROUND_SECONDS = 1.0
log = logging.getLogger("xdpredirect.controller")


def run_uninstall(settings: Settings, seconds: float) -> tuple[str, ...]:
    """Returns when nothing is left: nodes that never answered, which may still redirect. Raises
    XdpRedirectError that says what is left after `seconds`, InvalidInput without a cluster."""
    api = Api.connect(settings.kubeconfig, f"xdpredirect-uninstall/{__version__}")
    candidate = Candidate(settings, api)
    try:
        silent = _remove(Observer(api, settings.namespace), candidate, time.monotonic() + seconds)
        candidate.withdraw()
        api.delete(LEASES.within(settings.namespace), LEASE)
        return silent
    finally:
        candidate.close()
        api.close()


def _remove(observer: Observer, candidate: "Candidate", deadline: float) -> tuple[str, ...]:
    silent: tuple[str, ...] = ()
    told, remains, refused = "", Remains(), ""
    while time.monotonic() < deadline:
        try:
            candidate.run()
            remains = observer.look(candidate.leads)
            silent = silent or remains.silent
            candidate.stand_in(remains.attached)
            if remains.nothing:
                return silent
            for step in steps(remains):
                log.info("%s", step)
                perform(observer.api, observer.namespace, step)
            refused = ""
        except ApiError as error:
            refused = f"; the last request failed: {error}"
            log.warning("%s", error)
        if told != (told := waiting(remains)):
            log.info("waiting: %s", told)
        time.sleep(ROUND_SECONDS)
    raise XdpRedirectError(f"not done in time: {waiting(remains)}{refused}; {advice(remains)}")


@dataclass(slots=True)
class Candidate:
    """Of this process, among operators. It acts as one only while it `stand_in`s."""

    settings: Settings
    api: Api
    _election: Election | None = None
    _leader: threading.Thread | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _impatient: Api | None = None
    _identity: str = ""

    @property
    def leads(self) -> bool:
        """Whether no operator acts from now on."""
        return self._election is not None and self._election.leads()

    def run(self) -> None:
        """Stand for election; for the next one where one was lost."""
        if self._election is not None and not self._election.lost.is_set():
            return
        self._end_leader()
        if self._impatient is None:
            self._impatient = Api(self.api.access, self.api.user_agent, PATIENCE)
        name = this_pod() or socket.gethostname()
        self._identity = f"{name}_{random.randrange(1 << 32):08x}"
        leases = LEASES.within(self.settings.namespace)
        self._election = Election(self._impatient, leases, LEASE, self._identity)
        self._election.start()

    def stand_in(self, wanted: bool) -> None:
        """Be the operator if nobody else is, or no longer. Without agents: theirs are there, or
        they are not to come back."""
        if not wanted:
            self._end_leader()
        elif self._leader is None and self._election is not None and self.leads:
            log.info("no operator runs; this process stands in for it")
            leader = Leader(self.settings, self.api, self._election, self._identity)
            self._over = threading.Event()
            self._leader = threading.Thread(
                target=leader.lead, args=(self._over,), name="leader", daemon=True
            )
            self._leader.start()

    def withdraw(self) -> None:
        """Give the lease back."""
        self._end_leader()
        if self._election is not None:
            self._election.stop()
            self._election = None

    def close(self) -> None:
        """The same, whatever happened, and connections too."""
        with suppress(ApiError):
            self.withdraw()
        if self._impatient is not None:
            self._impatient.close()

    def _end_leader(self) -> None:
        if self._leader is not None:
            self._over.set()
            self._leader.join()
            self._leader = None
