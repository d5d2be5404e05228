"""A real Argo CD beside a control plane: cache, repository server and application controller.

Made by `conftest.argo`; the processes run in the control plane's network namespace. What its own
manifests would install is made here as far as these two programs need it: custom resources,
namespace, the settings that they read. There is no web server and nobody logs in.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.binaries.families import path
from tests.cluster.cluster import Cluster
from tests.cluster.process import Process
from tests.cluster.waiting import until
from tests.cluster.wire import Wire

NAMESPACE = "argocd"
RESYNC_SECONDS = 3
# Debian has one file for both programs: its name decides, and this package starts no service.
REDIS = "redis-check-rdb"
REDIS_ADDRESS = "127.0.0.1:6379"
REPO_SERVER_ADDRESS = "127.0.0.1:8081"
SERVED = ("applications", "applicationsets", "appprojects")
KINDS = ("application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml")
SETTINGS = ("cm", "rbac-cm", "ssh-known-hosts-cm", "tls-certs-cm", "gpg-keys-cm", "cmd-params-cm")
PART_OF = {"app.kubernetes.io/part-of": NAMESPACE}


class Argo:
    """`directory` holds its files and logs, and goes with the cluster's."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.wire = cluster, Wire(cluster)
        self.directory = cluster.directory / "argocd"
        self._programs = self.directory / "bin"
        for name in ("bin", "tmp", "tls", "ssh", "gpg"):
            (self.directory / name).mkdir(parents=True)
        self._link_programs()
        self.redis = self._process("redis-server", self._redis_flags())
        self.repo_server = self._process("argocd-repo-server", self._repo_server_flags())
        self.controller = self._process("argocd-application-controller", self._controller_flags())

    @property
    def processes(self) -> tuple[Process, ...]:
        """In the order of their start."""
        return (self.redis, self.repo_server, self.controller)

    def start(self) -> None:
        """Returns when its kinds are served and its processes are started."""
        crds = [word for name in KINDS for word in ("-f", str(path(name)))]
        self.cluster.kubectl("apply", "--server-side", *crds)
        self.cluster.await_kinds(*(f"{kind}.argoproj.io" for kind in SERVED))
        self.apply(objects())
        for process in self.processes:
            process.start()
            # Ended with the cluster, and no residue of a test.
            self.cluster.companions.append(process)

    def stop(self) -> None:
        """Ends its processes and removes its settings; its kinds stay."""
        for process in self.processes:
            process.kill()
        # After a failure an Application may hold it, and the failure is what counts.
        self.cluster.try_kubectl(["delete", "namespace", NAMESPACE, "--timeout=60s"])

    def apply(self, documents: list[dict[str, Any]]) -> None:
        """Applies objects as soon as their kinds are served."""
        items = {"apiVersion": "v1", "kind": "List", "items": documents}

        def applied() -> bool:
            done = self.cluster.try_kubectl(
                ["apply", "--server-side", "-f", "-"], input=json.dumps(items)
            )
            return done.returncode == 0

        until(applied, "Argo CD's kinds are served", evidence=self.evidence)

    def evidence(self) -> str:
        """The ends of all logs."""
        return "\n\n".join(process.tail() for process in self.processes)

    def writes(self) -> list[str]:
        """Whatever its controller has written so far, its own Applications and events aside."""
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in self._audited()
            if entry.get("userAgent", "").startswith("argocd-application-controller")
            and entry["objectRef"]["resource"] not in ("applications", "events")
        ]

    def _audited(self) -> Iterator[dict[str, Any]]:
        for line in self.cluster.control_plane.audit_log.read_text().split("\n")[:-1]:
            yield json.loads(line)

    def _link_programs(self) -> None:
        redis = shutil.which(REDIS)
        assert redis is not None, "redis-tools is missing; run `make setup`"
        links = {
            "redis-server": Path(redis),
            "argocd-repo-server": path("argocd"),
            "argocd-application-controller": path("argocd"),
            "kustomize": path("kustomize"),
            # The major version that this Argo CD ships with.
            "helm": path("helm3"),
        }
        for name, target in links.items():
            (self._programs / name).symlink_to(target)

    def _process(self, name: str, flags: list[str]) -> Process:
        log = self.directory / f"{name}.log"
        argv = [str(self._programs / name), *flags]
        return Process(self.cluster.network.control, argv, log, self._environment())

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory / "tmp"),
            "KUBECONFIG": str(self._kubeconfig()),
            # An Application's destination kubernetes.default.svc is the cluster of the kubeconfig.
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(self.directory / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(self.directory / "ssh"),
            "ARGOCD_GPG_DATA_PATH": str(self.directory / "gpg"),
            "ARGOCD_ASK_PASS_SOCK": str(self.directory / "ask-pass.sock"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }

    def _kubeconfig(self) -> Path:
        """The admin's, with the namespace of Argo CD."""
        made = self.directory / "kubeconfig"
        config = json.loads(self.cluster.kubeconfig.read_text())
        config["contexts"][0]["context"]["namespace"] = NAMESPACE
        made.write_text(json.dumps(config))
        return made

    def _redis_flags(self) -> list[str]:
        host, port = REDIS_ADDRESS.split(":")
        return ["--bind", host, "--port", port, "--save", "", "--dir", str(self.directory)]

    def _repo_server_flags(self) -> list[str]:
        host, port = REPO_SERVER_ADDRESS.split(":")
        cache = ["--redis", REDIS_ADDRESS, "--revision-cache-expiration", "1s"]
        return [
            "--address",
            host,
            "--port",
            port,
            "--metrics-address",
            host,
            "--disable-tls",
            *cache,
        ]

    def _controller_flags(self) -> list[str]:
        return [
            *("--kubeconfig", str(self.directory / "kubeconfig")),
            *("--redis", REDIS_ADDRESS),
            *("--repo-server", REPO_SERVER_ADDRESS, "--repo-server-plaintext"),
            *("--app-resync", str(RESYNC_SECONDS), "--app-resync-jitter", "0"),
            # Otherwise the health of single objects is only in the cache, for the web server.
            "--persist-resource-health",
        ]


def objects() -> list[dict[str, Any]]:
    """Namespace, empty settings and the secrets that the programs expect to find."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *(_object("ConfigMap", f"argocd-{name}") for name in SETTINGS),
        # Of the web server that is not here; the settings are not read without it.
        _object("Secret", "argocd-secret", stringData={"server.secretkey": "unused"}),
        _object("Secret", "argocd-redis", stringData={"auth": ""}),
    ]


def _object(kind: str, name: str, **content: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": PART_OF}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
