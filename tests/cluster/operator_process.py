"""The operator as a process on a host of its own, with the token of its service account.

A host, so that a test can cut it off or run two of them. Made by `fleet` and by tests of failover.
"""

from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.installed import SYSTEM, operator_token
from tests.cluster.nodes import XDPREDIRECT
from tests.cluster.process import Process
from tests.kernel.lab import Host, Lab

PROBES = "127.0.0.1:8080"


class Operator:
    """`process` is not yet started; `host` is where it runs, with `mgmt0` to the API server;
    `kubeconfig` is its own, `options` are those of the test."""

    def __init__(self, cluster: Cluster, lab: Lab, name: str = "operator", *options: str) -> None:
        self.host: Host = lab.host(name)
        self.address = cluster.network.join(self.host)
        self.cluster, self.options = cluster, options
        self.kubeconfig = cluster.kubeconfig_for(name, operator_token(cluster))
        argv = [*XDPREDIRECT, "operator", "--kubeconfig", str(self.kubeconfig)]
        argv += ["--namespace", SYSTEM, "--probes", PROBES, *options]
        log = Path(self.host.state_dir.parent, f"{name}.log")
        self.process = Process(self.host, argv, log, {"POD_NAME": name})
