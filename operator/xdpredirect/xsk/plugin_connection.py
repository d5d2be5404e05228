"""One client of the device plugin's protocol: carries out what `device_plugin` says.

Made and called by `plugin_server`.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import replace

from xdpredirect.xsk import device_plugin, sockets, whole
from xdpredirect.xsk.channel import Channel
from xdpredirect.xsk.client_log import ClientLog
from xdpredirect.xsk.device_plugin import Ask, BusyPoll, Connect, Step, Talk, WholeMap
from xdpredirect.xsk.grants import Grant, Refusal, WholeMaps
from xdpredirect.xsk.identity import has_ended
from xdpredirect.xsk.protocol import IDLE_SECONDS, PATIENCE_SECONDS, HangUp, Log, Send

_ENDED = Refusal("Unidentified", "the process has ended")


class PluginConnection:
    """`granted` are the grants of now, by interface, of which the client may have that of
    `interface`, and the maps.

    A pod that says hello may be `waiting` for what is there in a moment: that the agent sees where
    the device is, is told of the pod, or has made it a map of its own. Its device may have another
    name where it is, and by that one it asks.
    """

    def __init__(
        self,
        channel: Channel,
        interface: str,
        granted: tuple[Mapping[str, Grant], WholeMaps],
        log: ClientLog,
    ) -> None:
        self.channel, self.peer, self._log = channel, channel.peer, log
        self._grants, self._maps = granted
        self.interface, self._talk = interface, Talk(interface)
        self.waiting: Connect | None = None
        self._reason = ""

    def deadline(self) -> float:
        """When the client will have been silent, or kept waiting, for too long, on the monotonic
        clock."""
        if self.waiting:
            return self.channel.heard + (IDLE_SECONDS if self.needs_map() else PATIENCE_SECONDS)
        return self.channel.heard + device_plugin.patience(self._talk)

    def read(self) -> None:
        """Take one record and answer it."""
        received = self.channel.receive()
        if received is None:
            return
        try:
            if self.waiting:
                # Nobody honest goes on before there is an answer.
                self.channel.over = True
                return
            self._carry_out(device_plugin.receive(self._talk, received))
        finally:
            self.channel.let_go()

    def reads(self) -> bool:
        """Always: the end of one that waits is to be seen."""
        return True

    def needs_map(self) -> bool:
        """Whether it waits for a map of its own."""
        return self.waiting is not None and self._reason == whole.IN_PREPARATION

    def try_again(self) -> None:
        """After a change of the grants."""
        if self.waiting:
            self._greet(self.waiting)

    def expire(self) -> None:
        """Nothing came in time."""
        if self.waiting:
            self._greet(self.waiting, last=True)
        self.channel.over = True

    def close(self) -> None:
        """Close the connection. What the client has got stays with it."""
        self.channel.close()

    def _carry_out(self, step: Step) -> None:
        self._talk = step.talk
        for effect in step.effects:
            match effect:
                case Ask(WholeMap()):
                    self._hand_over()
                case Ask(Connect() as hello):
                    self._greet(hello)
                case Ask(BusyPoll() as wanted):
                    done = self._set_busy_poll(wanted, self.channel.given[0])
                    self._carry_out(device_plugin.settle(self._talk, wanted, done))
                case Send(data):
                    self.channel.send(data)
                case Log(name):
                    self._log.info(self.channel.owner, "%s says it is on %s", self._who(), name)
                case HangUp():
                    self.channel.over = True

    def _greet(self, hello: Connect, last: bool = False) -> None:
        answer = self._device()
        refused = isinstance(answer, Refusal)
        if isinstance(answer, Refusal):
            self._reason = answer.reason
            if self.peer.pod and not last:
                self.waiting = hello
                return
            self._refuse(answer)
        else:
            self._talk = replace(self._talk, device=answer)
        self.waiting = None
        self.channel.heard = time.monotonic()
        self._carry_out(device_plugin.settle(self._talk, hello, granted=not refused))

    def _refuse(self, why: Refusal) -> None:
        words = (self.interface, self._who(), why.reason, why.sentence)
        self._log.warning(self.channel.owner, "map of %s: refused to %s: %s, %s", *words)

    def _device(self) -> str | Refusal:
        """By which name the client may have the map now, or why it may not."""
        grant = self._grants.get(self.interface)
        if problem := whole.problem_of(self.peer, grant, sockets.own_netns()):
            return problem
        if grant is None or not self.peer.pod:
            return self.interface
        try:
            device = self._maps.device_of(grant, self.peer.pid)
        except OSError as error:
            return Refusal("Failed", f"it cannot be told where it is: {error}")
        if has_ended(self.channel.pidfd):
            # The number may have been another process's when it was used.
            return _ENDED
        return whole.problem_there(self.peer, grant, device) or device

    def _hand_over(self) -> None:
        fd = self._open()
        step = device_plugin.settle(self._talk, WholeMap(), granted=fd is not None)
        if fd is None:
            self._carry_out(step)
            return
        try:
            for effect in step.effects:
                if isinstance(effect, Send):
                    self.channel.send(effect.data, fd)
        finally:
            os.close(fd)
        words = (self.interface, self._who())
        self._log.info(self.channel.owner, "map of %s: handed to %s", *words)

    def _open(self) -> int | None:
        grant, answer = self._grants.get(self.interface), self._device()
        if isinstance(answer, Refusal):
            # Withdrawn since it connected.
            self._refuse(answer)
            return None
        if grant is None or answer != self._talk.device:
            # Renamed since then, and nothing is under that name.
            return None
        try:
            return self._maps.whole(grant)
        except OSError as error:
            words = (grant.interface, self._who(), error)
            self._log.error(self.channel.owner, "map of %s: cannot be handed to %s: %s", *words)
            return None

    def _who(self) -> str:
        pod = f" in pod {self.peer.pod}" if self.peer.pod else ""
        return f"process {self.peer.pid} of user {self.peer.uid}{pod}"

    def _set_busy_poll(self, wanted: BusyPoll, fd: int) -> bool:
        # A device that is away is in the network that a pod has connected from.
        netns = self.peer.netns if self.peer.pod else sockets.own_netns()
        if problem := sockets.problem_of(fd, netns):
            self._log.warning(self.channel.owner, "busy polling refused: %s", problem.sentence)
            return False
        try:
            sockets.busy_poll(fd, wanted.microseconds, wanted.budget)
        except OSError as error:
            self._log.warning(self.channel.owner, "busy polling refused: %s", error)
            return False
        return True
