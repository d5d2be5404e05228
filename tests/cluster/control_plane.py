"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler: one of each, ready in seconds.

Made by `cluster.Cluster`. Authorisation is RBAC and Node, admission is the default plus
NodeRestriction, service accounts have real tokens: only storage is less than real (no fsync).
"""

import http.client
import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.binaries.families import path
from tests.cluster.credentials import ADMIN, CONTROLLER_MANAGER, SCHEDULER, Credentials
from tests.cluster.network import SERVICE_RANGE, Network
from tests.cluster.process import Process
from tests.cluster.waiting import until

# That of its service: a pod reaches it without anything that translates addresses.
PORT = 443
ETCD = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"
ISSUER = "https://kubernetes.default.svc"
ATTEMPT_SECONDS = 5.0
ETCD_SECONDS = 60.0
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, verbs: [get, list, watch]}
  - {level: Metadata}
"""


class ControlPlane:
    """The four processes, with everything they write below `directory`.

    `kubelets` are the names of nodes that real kubelets will speak for.
    """

    def __init__(self, network: Network, directory: Path, kubelets: Sequence[str] = ()) -> None:
        self.network, self.directory = network, directory
        self.server = f"https://{network.address}:{PORT}"
        self.credentials = Credentials(directory / "credentials", self.server, kubelets)
        self.audit_log = directory / "audit.log"
        self.etcd = self._process("etcd", self._etcd_flags())
        self.api_server = self._process("kube-apiserver", self._api_server_flags())
        self.controller_manager = self._process(
            "kube-controller-manager", self._controller_manager_flags()
        )
        self.scheduler = self._process("kube-scheduler", self._scheduler_flags())

    @property
    def processes(self) -> tuple[Process, ...]:
        """In the order of their start."""
        return (self.etcd, self.api_server, self.controller_manager, self.scheduler)

    def start(self) -> None:
        """Returns when the API server is ready; AssertionError with the logs otherwise. What is to
        be made of objects is made after `start_controllers`."""
        self.credentials.write()
        (self.directory / "audit.yaml").write_text(AUDIT_POLICY)
        self.etcd.start()
        self.start_api_server()

    def start_controllers(self) -> None:
        """Controller manager and scheduler. Of a kind that comes later the garbage collector learns
        when it looks the next time, each half minute."""
        self.controller_manager.start()
        self.scheduler.start()

    def start_api_server(self) -> None:
        """Starts it again after a stop, and waits until it is ready."""
        self.api_server.start()
        until(self.ready, "the API server is ready", evidence=self.evidence)

    def ready(self) -> bool:
        """Whether /readyz says so; AssertionError when it or etcd has ended."""
        for process in (self.etcd, self.api_server):
            assert process.pid is not None, f"{process.name} has ended\n{process.tail()}"
        try:
            return self._answers()
        except (OSError, http.client.HTTPException):
            # Nobody listens yet, or the certificate is not there or not whole (SSLError).
            return False

    def _answers(self) -> bool:
        trust = ssl.create_default_context(cafile=str(self.credentials.certificate))
        connection = http.client.HTTPSConnection(
            self.network.address, PORT, timeout=ATTEMPT_SECONDS, context=trust
        )
        bearer = {"Authorization": f"Bearer {self.credentials.tokens[ADMIN]}"}
        try:
            connection.request("GET", "/readyz", headers=bearer)
            return connection.getresponse().status == http.HTTPStatus.OK
        finally:
            connection.close()

    def compact(self) -> None:
        """Makes etcd forget every revision but the last: older watches cannot be continued."""
        revision = self._etcd("range", {"key": "AA=="})["header"]["revision"]
        self._etcd("compaction", {"revision": revision, "physical": True})

    def _etcd(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        with self.network.control.enter():
            connection = http.client.HTTPConnection(urlsplit(ETCD).netloc, timeout=ETCD_SECONDS)
            try:
                connection.request("POST", f"/v3/kv/{method}", json.dumps(body))
                response = connection.getresponse()
                text = response.read().decode()
            finally:
                connection.close()
        assert response.status == http.HTTPStatus.OK, text
        return dict(json.loads(text))

    def evidence(self) -> str:
        """The ends of all logs."""
        return "\n\n".join(process.tail() for process in self.processes)

    def stop(self) -> None:
        """Ends all of them at once: nothing here is kept."""
        for process in reversed(self.processes):
            process.kill()

    def _process(self, name: str, flags: list[str]) -> Process:
        log = self.directory / f"{name}.log"
        return Process(self.network.control, [str(path(name)), *flags], log)

    def _etcd_flags(self) -> list[str]:
        return [
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            f"--listen-peer-urls={ETCD_PEER}",
            f"--initial-advertise-peer-urls={ETCD_PEER}",
            f"--initial-cluster=default={ETCD_PEER}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server_flags(self) -> list[str]:
        credentials = self.credentials
        return [
            f"--etcd-servers={ETCD}",
            f"--advertise-address={self.network.address}",
            f"--secure-port={PORT}",
            f"--cert-dir={credentials.directory}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={credentials.signing_key}",
            f"--service-account-signing-key-file={credentials.signing_key}",
            f"--token-auth-file={credentials.token_file}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--allow-privileged",
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={self.directory / 'audit.yaml'}",
            f"--audit-log-path={self.audit_log}",
        ]

    def _controller_manager_flags(self) -> list[str]:
        credentials = self.credentials
        return [
            f"--kubeconfig={credentials.directory / CONTROLLER_MANAGER}.kubeconfig",
            f"--service-account-private-key-file={credentials.signing_key}",
            f"--root-ca-file={credentials.certificate}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            # With 20 a second, as it comes, it makes its accounts for five seconds before it works.
            "--kube-api-qps=1000",
            "--kube-api-burst=1000",
            # Nodes of `replies` have no kubelet; they would be tainted as unreachable.
            "--node-startup-grace-period=24h",
        ]

    def _scheduler_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.credentials.directory / SCHEDULER}.kubeconfig",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ]
