"""What the container runtime is told: the directory of the broker, and which queue it is."""

from pathlib import Path

from tests.unit.dra.test_claims import CLAIM, QUEUE
from xdpredirect.dra import cdi
from xdpredirect.dra.claims import Queue


def test_the_document_of_a_claim() -> None:
    assert cdi.document(CLAIM, Path("/run/elsewhere")) == {
        "cdiVersion": "0.5.0",
        "kind": "xdpredirect.io/queue",
        "devices": [
            {
                "name": "c1-eth0-0",
                "containerEdits": {
                    "env": [
                        "XDPREDIRECT_CLAIMED_ETH0_0=eth0 0",
                        "XDPREDIRECT_INTERFACE=eth0",
                        "XDPREDIRECT_QUEUE=0",
                    ],
                    "mounts": [
                        {
                            "hostPath": "/run/elsewhere",
                            "containerPath": "/run/xdpredirect/sockets",
                            "options": ["ro", "nosuid", "nodev", "noexec", "bind"],
                        }
                    ],
                },
            }
        ],
    }


def test_kubelet_hears_the_names_that_are_in_the_document() -> None:
    two = Queue(device="x-2e-1", interface=".", queue=1, requests=("r",))
    claim = type(CLAIM)(namespace="n", name="c", uid="u", pods=CLAIM.pods, queues=(QUEUE, two))
    said = [name for device in cdi.prepared(claim, "node-1") for name in device.cdi]
    devices = cdi.document(claim, Path("/d"))["devices"]
    assert isinstance(devices, list)
    assert said == [f"xdpredirect.io/queue={device['name']}" for device in devices]
    assert [d.requests for d in cdi.prepared(claim, "node-1")] == [(), ("r",)]
