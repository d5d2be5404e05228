"""One client of the device plugin's protocol: carries out what `device_plugin` says.

Made and called by `plugin_server`.
"""

import os
import socket
import time
from collections.abc import Mapping

from xdpredirect.xsk import device_plugin, sockets
from xdpredirect.xsk.client_log import Shared
from xdpredirect.xsk.closing import Owner
from xdpredirect.xsk.connection import hang_up, send, take_record
from xdpredirect.xsk.device_plugin import Ask, BusyPoll, Connect, Question, Step, Talk, WholeMap
from xdpredirect.xsk.grants import Grant, Peer, WholeMaps
from xdpredirect.xsk.protocol import HangUp, Log, Send

_NO_DESCRIPTOR = -1


class PluginConnection:
    """Owns the socket and the pidfd; `over` once it is to be closed. `grants` are those of now, by
    interface, of which the client may have that of `device`."""

    def __init__(
        self,
        connection: socket.socket,
        who: tuple[Peer, int],
        device: str,
        granted: tuple[Mapping[str, Grant], WholeMaps],
        shared: Shared,
    ) -> None:
        self.socket = connection
        self._closing, self._log = shared
        self.peer, self.pidfd = who
        self._grants, self._maps = granted
        self._talk = Talk(device)
        self._heard = time.monotonic()
        self.over = False

    @property
    def owner(self) -> Owner:
        """Whose limits it counts for."""
        return self.peer.uid, self.peer.pod

    def deadline(self) -> float:
        """When the client will have been silent for too long, on the monotonic clock."""
        return self._heard + device_plugin.patience(self._talk)

    def read(self) -> None:
        """Take one record and answer it."""
        try:
            received, descriptors = take_record(self.socket)
        except BlockingIOError:
            return
        except OSError:
            self.over = True
            return
        try:
            self._heard = time.monotonic()
            if not received.data:
                # The end of the connection; an empty record looks the same.
                self.over = True
                return
            given = descriptors[0] if descriptors else _NO_DESCRIPTOR
            self._carry_out(device_plugin.receive(self._talk, received), given)
        finally:
            for descriptor in descriptors:
                self._closing.close(self.owner, descriptor)

    def drop(self) -> None:
        """Close the connection. What the client has got stays with it."""
        hang_up(self.socket, self.owner, self._closing)
        os.close(self.pidfd)

    def _carry_out(self, step: Step, given: int) -> None:
        self._talk = step.talk
        for effect in step.effects:
            match effect:
                case Ask(WholeMap()):
                    self._hand_over()
                case Ask(question):
                    granted = self._is_granted(question, given)
                    self._carry_out(device_plugin.settle(self._talk, question, granted), given)
                case Send(data):
                    self._send(data)
                case Log(name):
                    self._log.info(self.owner, "%s says it is on %s", self._who(), name)
                case HangUp():
                    self.over = True

    def _is_granted(self, question: Question, given: int) -> bool:
        if isinstance(question, BusyPoll):
            return self._set_busy_poll(question, given)
        grant = self._grant()
        if grant is None and isinstance(question, Connect):
            self._refuse()
        return grant is not None

    def _refuse(self) -> None:
        words = (self._talk.device, self._who())
        self._log.warning(self.owner, "map of %s: refused to %s: NotGranted", *words)

    def _grant(self) -> Grant | None:
        """A user of a pod is no user of the host, though the numbers may be the same."""
        grant = self._grants.get(self._talk.device)
        return grant if grant and not self.peer.pod and self.peer.uid in grant.users else None

    def _hand_over(self) -> None:
        fd = self._open()
        step = device_plugin.settle(self._talk, WholeMap(), granted=fd is not None)
        if fd is None:
            self._carry_out(step, _NO_DESCRIPTOR)
            return
        try:
            for effect in step.effects:
                if isinstance(effect, Send):
                    self._send(effect.data, fd)
        finally:
            os.close(fd)
        words = (self._talk.device, self._who())
        self._log.info(self.owner, "map of %s: handed to %s", *words)

    def _open(self) -> int | None:
        grant = self._grant()
        if grant is None:
            # Withdrawn since it connected.
            self._refuse()
            return None
        try:
            return self._maps.whole(grant)
        except OSError as error:
            words = (grant.interface, self._who(), error)
            self._log.error(self.owner, "map of %s: cannot be handed to %s: %s", *words)
            return None

    def _send(self, data: bytes, *descriptors: int) -> None:
        try:
            send(self.socket, data, *descriptors)
        except OSError:
            # Gone, or it does not read what it asked for.
            self.over = True

    def _who(self) -> str:
        return f"process {self.peer.pid} of user {self.peer.uid}{self.peer.pod and ' in a pod'}"

    def _set_busy_poll(self, wanted: BusyPoll, fd: int) -> bool:
        if problem := sockets.problem_of(fd, sockets.own_netns()):
            self._log.warning(self.owner, "busy polling refused: %s", problem.sentence)
            return False
        try:
            sockets.busy_poll(fd, wanted.microseconds, wanted.budget)
        except OSError as error:
            self._log.warning(self.owner, "busy polling refused: %s", error)
            return False
        return True
