"""The current context of a kubeconfig file. Called by `cluster.api`.

What kubectl reads and a long-lived process should not use (plug-ins that print tokens, passwords,
proxies) is refused by name, never passed over.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

import yaml

from xdpredirect.cluster.access import Access
from xdpredirect.errors import InvalidInput

_CLUSTER = {
    "server", "certificate-authority", "certificate-authority-data", "tls-server-name",
    "insecure-skip-tls-verify", "extensions", "disable-compression",
}  # fmt: skip
_USER = {
    "token", "tokenFile", "client-certificate", "client-certificate-data", "client-key",
    "client-key-data", "extensions",
}  # fmt: skip
_ADVICE = "use a user with a token or a client certificate"


def access_from(path: Path) -> Access:
    """Raises InvalidInput with one sentence that names the file."""
    try:
        content = yaml.safe_load(path.read_text())
        return _access(content, path.parent)
    except OSError as error:
        raise InvalidInput((f"{path}: {error.strerror}",)) from None
    except yaml.YAMLError as error:
        raise InvalidInput((f"{path}: is not YAML: {error}",)) from None
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidInput((f"{path}: {error}",)) from None


def _access(content: object, base: Path) -> Access:
    config = _mapping(content, "the file")
    context = _named(config, "context", _text(config, "current-context"))
    cluster = _named(config, "cluster", _text(context, "cluster"))
    user = _named(config, "user", _text(context, "user")) if context.get("user") else {}
    for entry, known in ((cluster, _CLUSTER), (user, _USER)):
        unknown = sorted(set(entry) - known)
        if unknown:
            raise ValueError(f"{unknown[0]} is not supported; {_ADVICE}")
    server = _text(cluster, "server")
    if not server.startswith(("https://", "http://")):
        raise ValueError(f"server {server!r} is no URL; write https://HOST:PORT")
    token_file = _file(user, "tokenFile", base)
    return Access(
        server=server.rstrip("/"),
        ca_file=_file(cluster, "certificate-authority", base),
        ca_text=_decoded(cluster, "certificate-authority-data"),
        # As kubectl has it: the file counts more than the token beside it.
        token_file=token_file,
        token="" if token_file else str(user.get("token") or ""),
        certificate_file=_file(user, "client-certificate", base),
        certificate_text=_decoded(user, "client-certificate-data"),
        key_file=_file(user, "client-key", base),
        key_text=_decoded(user, "client-key-data"),
        server_name=str(cluster.get("tls-server-name") or ""),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
    )


def _named(config: Mapping[str, object], kind: str, name: str) -> Mapping[str, object]:
    """The entry `name` of the list clusters, contexts or users."""
    entries = config.get(f"{kind}s")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("name") == name:
            return _mapping(entry.get(kind) or {}, f"{kind} {name}")
    raise ValueError(f"has no {kind} named {name!r}")


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} is not a mapping")
    return value


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is missing")
    return value


def _file(entry: Mapping[str, object], key: str, base: Path) -> Path | None:
    """A path of the file system; a relative one is seen from the kubeconfig."""
    value = entry.get(key)
    return base / str(value) if value else None


def _decoded(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return base64.b64decode(str(value), validate=True).decode() if value else ""
