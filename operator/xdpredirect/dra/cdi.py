"""What the container runtime does for a pod with a claim: documents of the Container Device
Interface (CDI). Pure; called by `driver`.

https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
"""

from pathlib import Path

from xdpredirect.dra.claims import Claim, Queue
from xdpredirect.dra.devices import DRIVER, Document
from xdpredirect.dra.messages import PreparedDevice

VERSION = "0.5.0"
"""The oldest with all that is used here."""
KIND = f"{DRIVER}/queue"
CONTAINER_DIRECTORY = "/run/xdpredirect/sockets"
"""Where a container finds the broker: the default of every client."""


def file_name(uid: str) -> str:
    """Of the document of a claim, in the directory that the runtime reads."""
    return f"{DRIVER}-claim-{uid}.json"


def document(claim: Claim, directory: Path) -> Document:
    """The queues of a claim. `directory` is that of the broker on the host; the directory is
    mounted, since every agent makes another socket in it, and read-only, since a pod has nothing to
    write there."""
    return {
        "cdiVersion": VERSION,
        "kind": KIND,
        "devices": [_device(claim, queue, directory) for queue in claim.queues],
    }


def prepared(claim: Claim, pool: str) -> tuple[PreparedDevice, ...]:
    """The same queues, as kubelet is told of them."""
    return tuple(
        PreparedDevice(
            requests=queue.requests,
            pool=pool,
            name=queue.device,
            cdi=(f"{KIND}={_name(claim, queue)}",),
        )
        for queue in claim.queues
    )


def _name(claim: Claim, queue: Queue) -> str:
    return f"{claim.uid}-{queue.device}"


def _device(claim: Claim, queue: Queue, directory: Path) -> Document:
    """A container with several queues gets one mount, one variable for each queue, and the pair
    without a name of one of them."""
    own = queue.device.upper().replace("-", "_")
    mount = {
        "hostPath": str(directory),
        "containerPath": CONTAINER_DIRECTORY,
        "options": ["ro", "nosuid", "nodev", "noexec", "bind"],
    }
    variables = {
        f"XDPREDIRECT_CLAIMED_{own}": f"{queue.interface} {queue.queue}",
        "XDPREDIRECT_INTERFACE": queue.interface,
        "XDPREDIRECT_QUEUE": str(queue.queue),
    }
    return {
        "name": _name(claim, queue),
        "containerEdits": {
            "env": [f"{name}={value}" for name, value in variables.items()],
            "mounts": [mount],
        },
    }
