"""A laboratory: hosts as network namespaces, wires as veth pairs, frames counted one by one.

Used by every test in tests/kernel, by the benches and by the demo. Root only. Nothing in it touches
the machine's own network namespace.

    with Lab() as lab:
        dut, a = lab.host("dut"), lab.host("a")
        p1, eth0 = lab.veth(("dut", "p1"), ("a", "eth0"))
        with p1.counter() as arrived:
            eth0.send([frame] * 1000)
            arrived.exactly(1000)
"""

from tests.kernel.lab.counter import Counter
from tests.kernel.lab.errors import LabError
from tests.kernel.lab.host import Host
from tests.kernel.lab.netns import enter
from tests.kernel.lab.port import Port
from tests.kernel.lab.sender import Stream, send
from tests.kernel.lab.tap import Tap
from tests.kernel.lab.topology import Lab

__all__ = ["Counter", "Host", "Lab", "LabError", "Port", "Stream", "Tap", "enter", "send"]
