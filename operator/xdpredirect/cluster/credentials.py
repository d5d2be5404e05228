"""Tokens and certificates of an Access, as they are on disk now. Called by `cluster.transport`.

kubelet renews a pod's token every hour or so by moving a symbolic link; who keeps the text that it
read at the start is locked out then.
"""

import ssl
import tempfile
from pathlib import Path

from xdpredirect.cluster.access import Access
from xdpredirect.errors import InvalidInput

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Changes when the file was replaced or written; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class TokenFile:
    """The text of a file, read again whenever the file is another one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._text = ""

    def read(self) -> str:
        """The token; the last one while the file cannot be read, as in the middle of a renewal."""
        now = stamp(self._path)
        if now is not None and now != self._stamp:
            try:
                self._text = self._path.read_text().strip()
            except OSError:
                return self._text
            self._stamp = now
        return self._text


def tls_context(access: Access) -> ssl.SSLContext:
    """How the server's certificate is checked and which one we show. Raises InvalidInput."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif access.ca_file is not None:
            context.load_verify_locations(cafile=access.ca_file)
        elif access.ca_text:
            context.load_verify_locations(cadata=access.ca_text)
        else:
            context.load_default_certs()
        if access.certificate_file or access.certificate_text:
            _load_own(context, access)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput((f"certificates for {access.server}: {error}",)) from None
    return context


def _load_own(context: ssl.SSLContext, access: Access) -> None:
    """OpenSSL takes a certificate of our own from files only."""
    with tempfile.TemporaryDirectory(prefix="xdpredirect-") as directory:
        certificate = access.certificate_file
        key = access.key_file
        if certificate is None:
            certificate = _written(Path(directory, "tls.crt"), access.certificate_text)
        if key is None:
            key = _written(Path(directory, "tls.key"), access.key_text)
        context.load_cert_chain(certificate, key)


def _written(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path
