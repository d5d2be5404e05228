"""The API server's own 429: a priority level without a seat, for our service accounts.

Used by test_failures_refused.py. A level whose limit is 0 still lets one request in while it has
none: that one is sent here, and stays, because the server waits for a body that never comes.
"""

import http.client
import json
import ssl
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.cluster import Cluster
from tests.cluster.installed import AGENT, OPERATOR, SYSTEM, operator_token
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, MERGE, TIMEOUT_SECONDS

NAME = "no-seats"
FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"
# Before every other, but for those that are exempt.
PRECEDENCE = 50
# Anything that the operator may patch: it is not there, but its body is read before that is known.
PATCHED = f"{GROUP}/xdpredirects/{NAME}"


class NoSeats:
    """While in there, the API server refuses every request of operator and agents about these API
    groups; "" is the core group."""

    def __init__(self, cluster: Cluster, *groups: str) -> None:
        self._cluster, self._groups = cluster, groups
        credentials = cluster.control_plane.credentials
        self._trust = ssl.create_default_context(cafile=str(credentials.certificate))
        self._token = operator_token(cluster)
        self._holder: http.client.HTTPSConnection | None = None

    def __enter__(self) -> "NoSeats":
        self._cluster.create([level(), flow(*self._groups)])
        try:
            until(self._in_force, "the level is in force")
            until(self._taken, "its only seat is taken")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        for plural in ("flowschema", "prioritylevelconfiguration"):
            self._cluster.kubectl("delete", f"{plural}.{FLOW_CONTROL}", NAME)
        if self._holder is not None:
            self._holder.close()

    def _in_force(self) -> bool:
        """Whether the API server says of a request that it belongs to the level."""
        found = self._cluster.kubectl("get", f"flowschema.{FLOW_CONTROL}", NAME, "-o", "json")
        connection = self._connection()
        try:
            connection.request("GET", PATCHED, headers=self._headers())
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        named = answer.headers["X-Kubernetes-PF-FlowSchema-UID"]
        return bool(named == json.loads(found)["metadata"]["uid"])

    def _taken(self) -> bool:
        """Whether the server let this request in: then it asks for the body. Somebody else may have
        been faster."""
        connection = self._connection()
        connection.putrequest("PATCH", PATCHED)
        waiting = {"Content-Type": MERGE, "Content-Length": "2", "Expect": "100-continue"}
        for name, value in {**self._headers(), **waiting}.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.sock.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
        if status == HTTPStatus.CONTINUE:
            self._holder = connection
            return True
        connection.close()
        assert status == HTTPStatus.TOO_MANY_REQUESTS, status
        return False

    def _connection(self) -> http.client.HTTPSConnection:
        place = urlsplit(self._cluster.server).netloc
        return http.client.HTTPSConnection(place, timeout=TIMEOUT_SECONDS, context=self._trust)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def level() -> dict[str, Any]:
    """Nothing of its own, nothing borrowed, and no queue."""
    limited = {
        "nominalConcurrencyShares": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    return document("PriorityLevelConfiguration", {"type": "Limited", "limited": limited})


def flow(*groups: str) -> dict[str, Any]:
    """Whose requests, about what, belong to the level."""
    subjects = [
        {"kind": "ServiceAccount", "serviceAccount": {"name": name, "namespace": SYSTEM}}
        for name in (OPERATOR, AGENT)
    ]
    # And what the seat is taken with.
    about = {
        "verbs": ["*"],
        "apiGroups": sorted({*groups, "xdpredirect.io"}),
        "resources": ["*"],
        "clusterScope": True,
        "namespaces": ["*"],
    }
    spec = {
        "priorityLevelConfiguration": {"name": NAME},
        "matchingPrecedence": PRECEDENCE,
        "rules": [{"subjects": subjects, "resourceRules": [about]}],
    }
    return document("FlowSchema", spec)


def document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"{FLOW_CONTROL}/v1",
        "kind": kind,
        "metadata": {"name": NAME},
        "spec": spec,
    }
