"""How many requests were answered how; kept by `transport`, read for metrics."""

import threading
from collections import Counter
from collections.abc import Mapping

NO_ANSWER = "none"


class RequestCount:
    """By HTTP status as text, or NO_ANSWER. Any thread counts and reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: Counter[str] = Counter()

    def add(self, status: int) -> None:
        """One request; 0: nobody answered it."""
        with self._lock:
            self._codes[str(status) if status else NO_ANSWER] += 1

    def codes(self) -> Mapping[str, int]:
        """As they stand now."""
        with self._lock:
            return dict(self._codes)
