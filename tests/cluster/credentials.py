"""Who may talk to the API server, and the files that say so; called by `control_plane`.

Static tokens for the control plane's own programs, for the admin and for kubelets; the API server's
signing key for the tokens of service accounts.
"""

import json
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ADMIN, CONTROLLER_MANAGER, SCHEDULER = "admin", "controller-manager", "scheduler"
# name: user, groups
STATIC = {
    ADMIN: ("admin", "system:masters"),
    CONTROLLER_MANAGER: ("system:kube-controller-manager", ""),
    SCHEDULER: ("system:kube-scheduler", ""),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files below `directory`. `certificate` is what the API server writes when it first starts.

    `kubelets` are names of nodes; the token of each is under the node's name.
    """

    directory: Path
    server: str
    kubelets: Sequence[str] = ()
    tokens: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        tokens = {name: secrets.token_hex() for name in self._identities()}
        object.__setattr__(self, "tokens", tokens)

    @property
    def certificate(self) -> Path:
        """The authority that clients trust."""
        return self.directory / "apiserver.crt"

    @property
    def signing_key(self) -> Path:
        """RSA; signs the tokens of service accounts."""
        return self.directory / "service-account.key"

    @property
    def token_file(self) -> Path:
        """For --token-auth-file: token,user,uid,"groups"."""
        return self.directory / "tokens.csv"

    def write(self) -> None:
        """Writes everything that must be there before the API server starts."""
        self.directory.mkdir(mode=0o700)
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.signing_key), "2048"],
            check=True,
            capture_output=True,
        )
        lines = [
            f'{self.tokens[name]},{user},{name},"{groups}"\n'
            for name, (user, groups) in self._identities().items()
        ]
        self.token_file.write_text("".join(lines))
        for name, token in self.tokens.items():
            self.kubeconfig(name, token)

    def _identities(self) -> dict[str, tuple[str, str]]:
        nodes = {name: (f"system:node:{name}", "system:nodes") for name in self.kubelets}
        return {**STATIC, **nodes}

    def kubeconfig(self, name: str, token: str) -> Path:
        """A kubeconfig file for a token, named `name`; written again when it exists."""
        path = self.directory / f"{name}.kubeconfig"
        cluster = {"server": self.server, "certificate-authority": str(self.certificate)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": "test", "user": name}}],
            "current-context": name,
        }
        partial = path.with_suffix(".new")
        partial.write_text(json.dumps(document, indent=2))
        # At once: a running client may be reading it.
        partial.rename(path)
        return path
