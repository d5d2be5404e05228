"""What `make cluster` and `make cluster-down` run: it comes, works as it says, and goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.fleet import redirect
from tests.cluster.waiting import until
from tests.kernel.lab import residue
from tests.kernel.lab.turn import turn
from tests.kernel.switch import udp

LIMIT_SECONDS = 420.0
# The other end of a NIC is on a host of its own; a frame is octets on a packet socket there.
SEND = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
    sender.bind(("in", 0))
    for _ in range(5):
        sender.send(bytes.fromhex(sys.argv[1]))
"""


def test_it_comes_works_and_goes(cluster: Cluster, tmp_path: Path) -> None:
    place = tmp_path / "place"
    with turn():
        before = residue.take()
        try:
            hints = run(place, "up")
            assert run(place, "up") == hints, "one that runs is kept"
            play(hints)
        finally:
            run(place, "down")
        assert residue.left_since(before, spare=cluster.pids) == []
    assert not place.exists()
    assert run(place, "down") == ""


def play(hints: str) -> None:
    """As somebody who copies the lines that were printed."""
    (export,) = (line for line in hints.splitlines() if line.startswith("export "))
    node, far = (line for line in hints.splitlines() if line.startswith("nsenter "))

    def shell(line: str, input: str = "") -> str:
        done = subprocess.run(
            ["sh", "-ec", f"{export}; {line}"],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    assert shell("kubectl get nodes --no-headers").count(" Ready ") == 3
    shell("kubectl apply -f -", json.dumps(redirect("edge", to="p1")))
    shell("kubectl wait --for=condition=Ready xdpredirect/edge --timeout=180s")
    assert "xdp" in shell(f"{node} ip link show dev in")

    def arrived() -> int:
        (link,) = json.loads(shell(f"{far} ip -j -s link show dev p1"))
        return int(link["stats64"]["rx"]["packets"])

    before = arrived()
    shell(f"{far} {sys.executable} -c '{SEND}' {udp(7).hex()}")
    until(lambda: arrived() >= before + 5, "the frames have arrived")
    shell("kubectl delete xdpredirect edge --timeout=180s")


def run(place: Path, what: str) -> str:
    """Standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", what, "--place", str(place)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, f"{what}: {done.stderr}"
    return done.stdout
