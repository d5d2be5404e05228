"""Bare requests to the API server: one connection each, the answer as it came.

Called by tests that need the server's own words, many requests, or another one's token. Not the
product's client on purpose: a check shares no code with what it checks.
"""

import http.client
import json
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.cluster import Cluster
from tests.cluster.credentials import ADMIN

GROUP = "/apis/xdpredirect.io/v1alpha1"
MERGE = "application/merge-patch+json"
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the decoded JSON: an object, a list, or a Status that says why not."""

    status: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        """Of a Status."""
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(field, message) of each thing that an invalid object has wrong."""
        details = self.body.get("details", {})
        return [(one.get("field", ""), one["message"]) for one in details.get("causes", [])]


class Wire:
    """Requests with one token, the admin's unless told."""

    def __init__(self, cluster: Cluster, token: str = "") -> None:
        credentials = cluster.control_plane.credentials
        self._place = urlsplit(cluster.server).netloc
        self._token = token or credentials.tokens[ADMIN]
        self._trust = ssl.create_default_context(cafile=str(credentials.certificate))

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Answer:
        """`path` with its query. OSError when nobody answers."""
        text = None if body is None else json.dumps(body)
        with self._asked(method, path, text, content_type) as response:
            return Answer(response.status, json.loads(response.read()))

    def watch(self, path: str) -> Generator[dict[str, Any]]:
        """The events of a watch, as they come; to be closed."""
        with self._asked("GET", path) as response:
            assert response.status == http.client.OK, response.read()
            for line in response:
                yield json.loads(line)

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        body: str | None = None,
        content_type: str = "application/json",
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(
            self._place, timeout=TIMEOUT_SECONDS, context=self._trust
        )
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        try:
            connection.request(method, path, body=body, headers=headers)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def create(self, plural: str, document: dict[str, Any], query: str = "") -> Answer:
        """Strictly: a field that the schema does not know is an error."""
        return self.request("POST", f"{GROUP}/{plural}?fieldValidation=Strict{query}", document)

    def judge(self, plural: str, document: dict[str, Any]) -> Answer:
        """What the server would say to `create`, which changes nothing."""
        return self.create(plural, document, "&dryRun=All")

    def erase(self, plural: str, name: str) -> None:
        """Removes an object whatever finalizer it has."""
        path = f"{GROUP}/{plural}/{name}"
        self.request("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
        self.request("DELETE", path)

    def names(self, plural: str) -> list[str]:
        """Of every object of a kind of ours; none where the kind itself is not installed."""
        answer = self.request("GET", f"{GROUP}/{plural}")
        if answer.status == http.client.NOT_FOUND:
            return []
        assert answer.status == http.client.OK, answer
        return [item["metadata"]["name"] for item in answer.body["items"]]
