"""One end of a wire. Made by `Lab.veth`; what tests send from and count at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.kernel.lab.counter import Counter
from tests.kernel.lab.host import Host
from tests.kernel.lab.sender import Stream, send


@dataclass(frozen=True, slots=True)
class Port:
    """A network interface of a host. `mac` has 6 octets."""

    host: Host
    name: str
    ifindex: int
    mac: bytes

    def send(self, frames: Iterable[bytes]) -> int:
        """Sends whole Ethernet frames in order; see `sender.send`."""
        return send(self.host, self.name, frames)

    def stream(self, frame: Callable[[int], bytes], *, rate: int) -> Stream:
        """Sends frame(0), frame(1), ... in the background; see `sender.Stream`."""
        return Stream(self.host, self.name, frame, rate=rate)

    def counter(self, match: Callable[[bytes], bool] | None = None) -> Counter:
        """Counts what arrives here from now on; see `counter.Counter`."""
        return Counter(self.host, self.name, match)
