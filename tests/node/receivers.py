"""Pods like those of examples/pods, on nodes with a real kubelet. Called by test_pods and
test_claims_frames.

What is applied is the example; another image and, for an end, another number of frames.
"""

import json
import re
from typing import Any

import yaml

from tests.cluster.cluster import ROOT
from tests.kernel.switch import udp
from tests.node.product import Product

SPACE, PORT = "ids", 4789


def example(name: str) -> list[dict[str, Any]]:
    """The documents of a file."""
    return [*yaml.safe_load_all((ROOT / "examples" / "pods" / name).read_text())]


def frames(count: int, first: int = 0) -> list[bytes]:
    """Frames of the tunnel that differ in their number."""
    whole = udp(PORT)
    return [whole[:-4] + number.to_bytes(4, "big") for number in range(first, first + count)]


def printed(sent: list[bytes]) -> list[str]:
    """As `xdpredirect receive` prints them."""
    return [f"{len(frame)} {frame.hex()}" for frame in sent]


class Receivers:
    """`file` has a pod, and before it what the pod needs."""

    def __init__(self, product: Product, file: str) -> None:
        self.product = product
        *needed, self._pod = example(file)
        for document in needed:
            product.apply(document)
        account = ["get", "serviceaccount", "default", "-n", SPACE]
        product.until(
            lambda: product.machines.cluster.try_kubectl(account).returncode == 0,
            "the namespace has its service account",
        )

    def add(self, name: str, *words: str, app: str = "ids", **spec: Any) -> None:
        """One with these further arguments, that is not started again when it has ended."""
        made = json.loads(json.dumps(self._pod))
        made["metadata"] |= {"name": name, "labels": {"app": app}}
        made["spec"] |= {"restartPolicy": "Never", **spec}
        (container,) = made["spec"]["containers"]
        container["image"] = self.product.operator
        container["args"] += words
        self.product.apply(made)

    def get(self, name: str, path: str) -> str:
        """What a pod has there, as JSONPath."""
        form = f"jsonpath={{{path}}}"
        return self.product.machines.kubectl("get", "pod", "-n", SPACE, name, "-o", form)

    def delete(self, name: str) -> None:
        """Gone when this returns."""
        self.product.machines.kubectl("delete", "pod", "-n", SPACE, name, "--timeout=120s")

    def close(self) -> None:
        """Everything in the namespace. Its pods go first: the controller of namespaces looks after
        them again only when half of what they may take to end is over.
        """
        kubectl = self.product.machines.kubectl
        kubectl("delete", "pods", "-n", SPACE, "--all", "--timeout=120s")
        kubectl("delete", "namespace", SPACE, "--timeout=120s")

    def logs(self, name: str) -> list[str]:
        """What it has printed; nothing before it runs."""
        words = ["logs", "-n", SPACE, name]
        return self.product.machines.cluster.try_kubectl(words).stdout.splitlines()

    def received(self, name: str) -> list[str]:
        """Its frames alone: they come by another stream than the rest, and a log keeps no order
        between two."""
        return [line for line in self.logs(name) if re.fullmatch("[0-9]+ [0-9a-f]+", line)]

    def until_taken(self, name: str) -> None:
        """It has its socket, and the frames go there from now on."""
        self.product.until(
            lambda: any("receiving from" in line for line in self.logs(name)),
            f"{name} has its socket",
        )

    def until_ended(self, name: str, phase: str) -> list[str]:
        """Its whole output."""
        ended = ("Succeeded", "Failed")
        self.product.until(lambda: self.get(name, ".status.phase") in ended, f"{name} ends")
        assert self.get(name, ".status.phase") == phase, "\n".join(self.logs(name))
        return self.logs(name)
