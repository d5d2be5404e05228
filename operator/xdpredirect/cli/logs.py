"""The log of the long-running agent: one line a record to standard error, text or JSON.

Called by `agent`. The text format leaves the time to journald, which stamps every line.
"""

import json
import logging
import time


class TextFormatter(logging.Formatter):
    """`level: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; line breaks of verifier logs are kept, indented."""
        message = record.getMessage().replace("\n", "\n    ")
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        return f"{record.levelname.lower()}: {message}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, and error."""

    def format(self, record: logging.LogRecord) -> str:
        """Always one line: JSON escapes line breaks."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        value = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            value["error"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False)


def log_to_stderr(form: str) -> None:
    """Send records of level info and above to standard error, as `text` or `json`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logger = logging.getLogger("xdpredirect")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
