"""One Application of Argo CD as a test sees it: what it says, and the way to its end.

with Application(argo, document) as application:
    application.until(sync="Synced", health="Healthy")
"""

import json
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from types import TracebackType
from typing import Any

from tests.cluster.waiting import until
from tests.gitops.argo import NAMESPACE, Argo

PATH = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
# Cloning, rendering and a datapath on each node, on a machine that does other things as well.
PATIENCE_SECONDS = 300.0


class Application:
    """Applied at the begin of `with`, deleted with everything that it made at its end."""

    def __init__(self, argo: Argo, document: Mapping[str, Any]) -> None:
        self.argo, self.document = argo, document
        self.name = str(document["metadata"]["name"])

    def __enter__(self) -> "Application":
        self.apply()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.delete()
            return
        # What it made is then for the test's own end to remove, and nobody shall make it again.
        finalizers = json.dumps({"metadata": {"finalizers": None}})
        self.argo.cluster.try_kubectl(self._kubectl("patch", "--type=merge", "-p", finalizers))
        self.argo.cluster.try_kubectl(self._kubectl("delete"))

    def apply(self) -> None:
        """`kubectl apply`."""
        self.argo.cluster.kubectl("apply", "-f", "-", input=json.dumps(self.document))

    def delete(self) -> None:
        """`kubectl delete`: returns when Argo CD has removed what the Application made."""
        self.argo.cluster.kubectl(*self._kubectl("delete"))

    def _kubectl(self, verb: str, *more: str) -> list[str]:
        return [verb, "applications.argoproj.io", self.name, "-n", NAMESPACE, *more]

    def get(self) -> dict[str, Any]:
        """The object."""
        answer = self.argo.wire.request("GET", f"{PATH}/{self.name}")
        assert answer.status == HTTPStatus.OK, answer
        return answer.body

    def state(self) -> dict[str, str]:
        """`sync`, `health`, and `revision`: the commit that these are about."""
        return _state(self.get())

    def until(self, **wanted: str) -> None:
        """Waits until these parts of the state are so; the whole object is the evidence."""
        until(
            lambda: wanted.items() <= self.state().items(),
            f"{self.name} is {wanted}",
            PATIENCE_SECONDS,
            self.evidence,
        )

    def health_of(self, kind: str, name: str) -> dict[str, str]:
        """`status` and `message` of one object; empty while Argo CD does not know it."""
        for item in self.get().get("status", {}).get("resources", []):
            if (item["kind"], item["name"]) == (kind, name):
                return dict(item.get("health", {}))
        return {}

    def until_health(self, kind: str, name: str, status: str, words: str = "") -> str:
        """Waits until that object's health is so and `words` are in its message, which it gives."""

        def holds() -> bool:
            found = self.health_of(kind, name)
            return found.get("status") == status and words in found.get("message", "")

        what = f"{kind} {name} is {status} with {words!r}"
        until(holds, what, PATIENCE_SECONDS, self.evidence)
        return self.health_of(kind, name).get("message", "")

    def operation(self) -> str:
        """What the operation that goes on, or was the last, says."""
        state = self.get().get("status", {}).get("operationState", {})
        return str(state.get("message", ""))

    def syncs(self) -> int:
        """How many operations have been completed."""
        return len(self.get()["status"].get("history", []))

    def looked(self) -> str:
        """When Argo CD last held the cluster against Git."""
        return str(self.get()["status"].get("reconciledAt", ""))

    def states_since(self, version: str) -> list[dict[str, str]]:
        """Every state between a resourceVersion and now, in order and without repetition."""
        now = self.get()["metadata"]["resourceVersion"]
        query = f"watch=1&resourceVersion={version}&fieldSelector=metadata.name={self.name}"
        found: list[dict[str, str]] = []
        with closing(self.argo.wire.watch(f"{PATH}?{query}")) as events:
            for event in events:
                state = _state(event["object"])
                if state not in found[-1:]:
                    found.append(state)
                if event["object"]["metadata"]["resourceVersion"] == now:
                    return found
        raise AssertionError(f"the watch ended before it was at {now}: {found}")

    def evidence(self) -> str:
        """What it says, and the ends of Argo CD's logs."""
        found = self.get()
        # Where each object was last written: long, and never the reason.
        found["metadata"].pop("managedFields", None)
        return f"{json.dumps(found, indent=1)}\n\n{self.argo.evidence()}"


def _state(document: Mapping[str, Any]) -> dict[str, str]:
    status = document.get("status", {})
    sync = status.get("sync", {})
    return {
        "sync": sync.get("status", ""),
        "health": status.get("health", {}).get("status", ""),
        "revision": sync.get("revision", ""),
    }
