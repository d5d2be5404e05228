"""helm 3 and 4 as this suite runs them, each with nothing of this machine's configuration.

Called by the tests of this folder, and by whoever installs the chart in another one.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.binaries.families import path
from tests.cluster.cluster import ROOT

CHART = ROOT / "charts/xdp-redirect"
VERSIONS = ("helm", "helm3")
COMMAND_SECONDS = 420.0


class HelmError(Exception):
    """helm refused; the message is what it wrote."""


class Helm:
    """`version` is one of VERSIONS; `home` holds what helm caches; `kubeconfig` is of the cluster
    that it speaks to, if any."""

    def __init__(self, version: str, home: Path, kubeconfig: Path | None = None) -> None:
        self.version, self.home, self.kubeconfig = version, home, kubeconfig

    def __call__(self, *args: str, input: str = "") -> str:
        """Standard output; HelmError with all that it said."""
        done = self.run(args, input=input)
        if done.returncode != 0:
            raise HelmError(f"{self.version} {' '.join(args)}: {done.stderr}{done.stdout}")
        return done.stdout

    def run(self, args: Sequence[str], *, input: str = "") -> subprocess.CompletedProcess[str]:
        """For commands that are expected to fail."""
        return subprocess.run(
            [str(path(self.version)), *args],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            env={**os.environ, **self.environment()},
        )

    def environment(self) -> dict[str, str]:
        """Of helm: everything that it writes is below `home`."""
        own = {f"HELM_{name}_HOME": str(self.home / name) for name in ("CACHE", "CONFIG", "DATA")}
        # Not the one of this machine, whatever that is.
        own["KUBECONFIG"] = str(self.kubeconfig or self.home / "no-cluster")
        return own
