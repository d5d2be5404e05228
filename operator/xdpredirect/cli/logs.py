"""The log of the long-running processes: one line a record to standard error, text or JSON.

Called by `agent` and `operator`. The text format leaves the time to journald.
"""

import json
import logging
import time

_ABOUT = ("object", "generation", "node", "revision")


class TextFormatter(logging.Formatter):
    """`level: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; line breaks of verifier logs are kept, indented."""
        message = record.getMessage().replace("\n", "\n    ")
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        return f"{record.levelname.lower()}: {message}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, error, and what it is
    about: object, generation, node, revision."""

    def format(self, record: logging.LogRecord) -> str:
        """Always one line: JSON escapes line breaks."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        value = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        about = vars(record)
        value |= {name: about[name] for name in _ABOUT if name in about}
        if record.exc_info:
            value["error"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False)


def log_to_stderr(form: str, *libraries: str) -> None:
    """Send records of level info and above to standard error, as `text` or `json`; of `libraries`,
    by the names of their loggers, warnings and above."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    for name in ("xdpredirect", *libraries):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.WARNING if name in libraries else logging.INFO)
        logger.propagate = False
