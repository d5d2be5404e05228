"""Frames that CPUs hand to the network stack: does a socket of the host receive them?"""

import contextlib
import socket

from tests.kernel.lab import Host, Lab
from tests.kernel.switch import CATCH_ALL, both_modes, redirect, rule, switch, udp
from tests.spec.frames import SERVER4

N = 20


def header_errors(host: Host) -> int:
    """IP packets that the host's stack could not read."""
    names, values = host.run(["grep", "^Ip:", "/proc/net/snmp"]).stdout.splitlines()[:2]
    return int(dict(zip(names.split(), values.split(), strict=True))["InHdrErrors"])


@both_modes
def test_a_socket_receives_what_came_over_another_cpu(lab: Lab, mode: str) -> None:
    """Native: every datagram. Generic: every one, or none with kernels from 6.9 on, where
    skb_cow_data_for_xdp makes a new buffer without `mac_len`, by which cpu_map_generic_redirect
    then finds the IP header; the stack reads the MAC addresses as one and drops the packet."""
    action = "{type: CPUs, cpus: {set: '0'}}"
    with switch(lab, mode) as s:
        s.dut.address("in", f"{SERVER4}/24")
        s.dut.ip("route", "add", "default", "dev", "in")
        with s.dut.enter():
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver:
            receiver.bind((SERVER4, 9))
            receiver.settimeout(3.0)
            outcome = s.apply(redirect(rule("r", CATCH_ALL, action)))
            s.far["in"].send([udp(9)] * N)
            received = 0
            with contextlib.suppress(TimeoutError):
                while received < N:
                    assert receiver.recv(100) == bytes(8)
                    received += 1
        lost = header_errors(s.dut)
        assert received + lost == N
        assert lost in ((0,) if mode == "Native" else (0, N))
        assert s.counted("r").packets == N
        # Whoever loses frames this way was told before.
        warned = {f.reason for o in outcome.report.objects for f in o.findings}
        assert not lost or "GenericCpuStack" in warned
