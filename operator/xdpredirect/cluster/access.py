"""Where the API server is and how to show who asks. Called by `cluster.api`.

Files are named, not read: tokens and certificates are renewed while the process lives.
"""

from dataclasses import dataclass
from pathlib import Path

from xdpredirect.errors import InvalidInput
from xdpredirect.settings import service_address

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`server` is a URL. Of each pair of file and text at most one is given; certificates are PEM.
    `server_name` is the name that the server's certificate must hold, when it is not the URL's."""

    server: str
    ca_file: Path | None = None
    ca_text: str = ""
    token_file: Path | None = None
    token: str = ""
    certificate_file: Path | None = None
    certificate_text: str = ""
    key_file: Path | None = None
    key_text: str = ""
    server_name: str = ""
    insecure: bool = False


def access_in_pod(directory: Path = SERVICE_ACCOUNT) -> Access:
    """What kubelet gives every pod. Raises InvalidInput when this process is in none."""
    server = service_address()
    if not server or not (directory / "token").exists():
        raise InvalidInput(("--kubeconfig: is not given, and this process runs in no pod",))
    return Access(server=server, ca_file=directory / "ca.crt", token_file=directory / "token")
