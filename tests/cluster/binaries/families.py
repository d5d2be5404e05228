"""Which programs there are, from which module, and where a built one lies.

The place is named after everything that decides what is built, so a changed version or flag is
another file and two checkouts share what is the same. Called by `build` and by whatever runs a
program: tests/cluster/process.py and the bench.
"""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
# What every program is built with; part of the key.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
KUBERNETES_VERSION = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class Family:
    """Programs of one module. `programs`: Go package by name, "." for the one that is here;
    `files`: copied out of the module.

    `stamps`: what the linker writes into string variables; {version}, {major} and {minor} are the
    module's.
    """

    name: str
    module: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where its go.mod is."""
        return HERE / self.name

    @property
    def version(self) -> str:
        """As its go.mod has it, such as v1.37.2."""
        text = (self.directory / "go.mod").read_text()
        found = re.search(rf"^(?:require )?\s*{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.directory / 'go.mod'} does not require {self.module}")
        return found[1]

    @property
    def flags(self) -> tuple[str, ...]:
        """Of `go build`, for each of its programs."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        stamps = [
            f"-X {variable}={value.format(version=self.version, major=major, minor=minor)}"
            for variable, value in self.stamps.items()
        ]
        return ("-trimpath", "-ldflags", " ".join(["-s -w", *stamps]))

    @property
    def place(self) -> Path:
        """The directory of its built programs, which may not exist yet."""
        digest = hashlib.sha256(repr((self.flags, sorted(ENVIRONMENT.items()))).encode())
        digest.update(repr((sorted(self.programs.items()), self.files)).encode())
        for file in sorted(self.directory.iterdir()):
            digest.update(file.read_bytes())
        digest.update(platform.machine().encode())
        return cache() / "binaries" / f"{self.name}-{digest.hexdigest()[:16]}"


# In the order in which tests need them: an API server answers before the schedulers are built.
FAMILIES = (
    Family("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Family(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kubectl",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
            )
        },
        # Without them feature gates and `kubectl version` speak of v0.0.0.
        stamps={
            f"{KUBERNETES_VERSION}.gitVersion": "{version}",
            f"{KUBERNETES_VERSION}.gitMajor": "{major}",
            f"{KUBERNETES_VERSION}.gitMinor": "{minor}",
        },
    ),
    Family(
        "kwok",
        "sigs.k8s.io/kwok",
        {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        files=(
            "kustomize/stage/node/fast/node-initialize.yaml",
            "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
            "kustomize/stage/pod/fast/pod-ready.yaml",
            "kustomize/stage/pod/fast/pod-complete.yaml",
            "kustomize/stage/pod/fast/pod-delete.yaml",
        ),
    ),
    Family(
        "containerd",
        "github.com/containerd/containerd/v2",
        {
            name: f"github.com/containerd/containerd/v2/cmd/{name}"
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        },
        stamps={"github.com/containerd/containerd/v2/version.Version": "{version}"},
    ),
    Family(
        "cni",
        "github.com/containernetworking/plugins",
        {
            "bridge": "github.com/containernetworking/plugins/plugins/main/bridge",
            "loopback": "github.com/containernetworking/plugins/plugins/main/loopback",
            "host-local": "github.com/containernetworking/plugins/plugins/ipam/host-local",
        },
    ),
    Family(
        "helm",
        "helm.sh/helm/v4",
        {"helm": "helm.sh/helm/v4/cmd/helm"},
        stamps={"helm.sh/helm/v4/internal/version.version": "{version}"},
    ),
    Family(
        "helm3",
        "helm.sh/helm/v3",
        {"helm3": "helm.sh/helm/v3/cmd/helm"},
        stamps={
            "helm.sh/helm/v3/internal/version.version": "{version}",
            # That of its client-go; `helm template` takes it for the cluster's.
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "36",
        },
    ),
    Family(
        "kube-linter",
        "golang.stackrox.io/kube-linter",
        {"kube-linter": "golang.stackrox.io/kube-linter/cmd/kube-linter"},
    ),
    Family(
        "argocd",
        "github.com/argoproj/argo-cd/v3",
        {"argocd": "."},
        files=(
            "manifests/crds/application-crd.yaml",
            "manifests/crds/applicationset-crd.yaml",
            "manifests/crds/appproject-crd.yaml",
        ),
    ),
    Family(
        "kustomize",
        "sigs.k8s.io/kustomize/kustomize/v5",
        {"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
    ),
    # With its program the kinds of Flux are made, see tests/gitops.
    Family(
        "flux",
        "sigs.k8s.io/controller-tools",
        {"controller-gen": "sigs.k8s.io/controller-tools/cmd/controller-gen"},
    ),
)


def cache() -> Path:
    """Outside every checkout: what took minutes to build survives `make clean` and a new clone."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "xdp-redirect-operator"


def path(name: str) -> Path:
    """A program, or a file that came with one; built now, with its family, when it is missing."""
    from tests.cluster.binaries.build import build_all  # noqa: PLC0415 - it builds what is told here

    for family in FAMILIES:
        if name in family.programs or name in {Path(file).name for file in family.files}:
            build_all([family])
            return family.place / name
    raise LookupError(f"no family has a program {name}")
