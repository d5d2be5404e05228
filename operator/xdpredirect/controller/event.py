"""A Kubernetes Event about an XdpRedirect, as `kubectl describe` shows it. Pure.

Called by `act`.
"""

from datetime import UTC, datetime

from xdpredirect.api.decode import API_VERSION
from xdpredirect.conditions import shorten
from xdpredirect.controller.actions import PostEvent
from xdpredirect.controller.plain import digest

_CONTROLLER = "xdpredirect.io/operator"
_NOTE_LIMIT = 1000
_NAMESPACE = "default"


def event_document(event: PostEvent, instance: str, now: float) -> dict[str, object]:
    """The event; `instance` names the process that saw it, `now` is in seconds since 1970. Two
    events of one object at the same microsecond with the same words are one."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    unique = digest(f"{event.uid} {stamp} {event.reason} {event.message}")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{event.redirect}.{unique}", "namespace": _NAMESPACE},
        "eventTime": stamp,
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "note": shorten(event.message, _NOTE_LIMIT),
        "action": "Reconcile",
        "reportingController": _CONTROLLER,
        "reportingInstance": instance,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": "XdpRedirect",
            "name": event.redirect,
            "uid": event.uid,
        },
    }
