"""Requests to the API server over a few kept connections, each with the token of whoever asks.

Called by `crowd`, where a thousand agents share a process, and by `population`.
"""

import http.client
import json
import queue
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from xdpredirect.cluster.transport import refused, unreachable

CONNECTIONS = 8
TIMEOUT_SECONDS = 60.0
IDLE_SECONDS = 60.0
"""The API server closes a connection that was idle for 90."""
JSON = "application/json"
APPLY = "application/apply-patch+yaml"


class Wires:
    """At most CONNECTIONS requests at once; more of them wait. For any number of threads."""

    def __init__(self, server: str, ca_file: Path, user_agent: str) -> None:
        self._place = urlsplit(server).netloc
        self._trust = ssl.create_default_context(cafile=str(ca_file))
        self._user_agent = user_agent
        self._idle: queue.LifoQueue[tuple[float, http.client.HTTPSConnection]] = queue.LifoQueue()
        for _ in range(CONNECTIONS):
            self._idle.put((0.0, self._connection()))

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        token: str,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """The answer, a JSON object. Raises ApiError."""
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": content_type,
            "User-Agent": self._user_agent,
        }
        used, connection = self._idle.get()
        try:
            if time.monotonic() - used > IDLE_SECONDS:
                connection.close()
            connection.request(method, path, json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise unreachable(error) from error
        finally:
            self._idle.put((time.monotonic(), connection))
        if not 200 <= response.status < 300:
            raise refused(response.status, content, response.headers.get("Retry-After", ""))
        return dict(json.loads(content))

    def _connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self._place, timeout=TIMEOUT_SECONDS, context=self._trust
        )
