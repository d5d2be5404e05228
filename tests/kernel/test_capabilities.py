"""Three capabilities are enough: BPF, NET_ADMIN and PERFMON, as a container of a cluster gets them.

The compiler too has to run then, without the right to become another user.
"""

import sys

from tests.kernel.lab import Lab

DOCUMENT = """
apiVersion: xdpredirect.io/v1alpha1
kind: XdpRedirect
metadata: {name: three}
spec:
  nodeSelector: {}
  interfaces: [{names: [p1]}]
  rules:
    - {name: none, match: {etherTypes: ["0x88b5"]}, action: {type: Drop}}
"""
ONLY = ["setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon", "--no-new-privs"]
COMMAND = [*ONLY, sys.executable, "-m", "xdpredirect"]


def test_apply_and_delete_with_three_capabilities(lab: Lab) -> None:
    dut = lab.host("dut")
    port, _ = lab.veth(("dut", "p1"), ("peer", "e0"))
    held = dut.run([*ONLY, "cat", "/proc/self/status"]).stdout
    assert "CapEff:\t000000c000001000" in held
    assert "Ready" in dut.run([*COMMAND, "apply", "-f", "-"], stdin=DOCUMENT).stdout
    assert "xdp" in dut.ip("-d", "link", "show", port.name)
    assert "deleted" in dut.run([*COMMAND, "delete", "--all"]).stdout
    assert dut.pins() == []
