"""What an option may be given as: texts read into values. Pure; called by `settings`.

Each takes the text of an option or variable, and raises ValueError with words for people.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """`k=v,k2=v2` as sorted pairs; ValueError says which part is not one."""
    found: dict[str, str] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise ValueError(f"{part!r} is not a label; write key=value, separated by commas")
        if found.setdefault(key, value) != value:
            raise ValueError(f"label {key!r} is given twice, as {found[key]!r} and {value!r}")
    return tuple(sorted(found.items()))


def path(text: str) -> Path:
    """As an absolute one."""
    return Path(os.path.normpath(Path.cwd() / text))


def node_name(text: str) -> str:
    """A name as objects of Kubernetes have one."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", text):
        raise ValueError(f"{text!r} is no name of a node; write it as `kubectl get nodes` does")
    return text


def address(text: str) -> str:
    """Where to listen: an address, or none for all of them, and a port."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address; write such as :8080 or 127.0.0.1:8080")
    return f"{host}:{port}"


def metrics(text: str) -> str:
    """A port alone is for this machine: the agent is on the host's network, where an address that
    nobody gave would mean all of them."""
    return address(f"127.0.0.1:{text}" if text.isdigit() else text)


def seconds(text: str) -> float:
    """A tenth of a second to a day."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; write seconds, such as 30") from None
    if not 0.1 <= value <= 86400:
        raise ValueError(f"{text} is out of range; write 0.1 to 86400 seconds")
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader of one of these words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is unknown; write {' or '.join(choices)}")
        return text

    return parse
