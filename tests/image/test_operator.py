"""The operator's image as a pod runs it: nobody's user, no capability, a root that is read-only."""

import http.client
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.cluster.waiting import until
from tests.image.container import Container, Mount
from tests.kernel.lab import Host, Lab

Run = Callable[..., Container]
SECRETS = "/etc/kubernetes"
# Nobody listens there: what is tried again and again.
NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Mount:
    """A directory with a kubeconfig, as a pod outside of the cluster would get it."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": NOWHERE}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    directory = tmp_path / "kube"
    directory.mkdir()
    (directory / "config").write_text(yaml.safe_dump(document))
    for path in (tmp_path, directory, directory / "config"):
        path.chmod(0o755)
    return Mount(target=SECRETS, source=str(directory), read_only=True)


def answer(host: Host, path: str) -> int:
    """The status of a probe; 0 while nobody listens."""
    with suppress(OSError), host.enter():
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()
    return 0


def test_it_runs_as_nobody_and_ends_in_order(lab: Lab, run: Run, kubeconfig: Mount) -> None:
    host = lab.host("cluster")
    option = f"--kubeconfig={SECRETS}/config"
    operator = run("operator", host, "operator", option, "--log=json", mounts=(kubeconfig,))
    until(lambda: answer(host, "/healthz") == 200, "it answers", evidence=operator.said)
    # It waits for the lease, so it could take over.
    assert answer(host, "/readyz") == 200
    status = operator.execute("cat", "/proc/1/status")
    assert "\nUid:\t65532\t65532\t65532\t65532\n" in status
    assert "\nCapPrm:\t0000000000000000\n" in status
    assert "\nCapBnd:\t0000000000000000\n" in status
    assert "\nNoNewPrivs:\t1\nSeccomp:\t2\n" in status
    assert operator.processes() == ["tini", "xdpredirect"]
    operator.signal(signal.SIGTERM)
    assert operator.wait() == 0, operator.said()


def test_help_needs_nothing(lab: Lab, run: Run) -> None:
    operator = run("operator", lab.host("cluster"), "operator", "--help")
    assert operator.wait() == 0, operator.said()
    assert "Tell every node of a cluster what it is to redirect" in operator.said()


@pytest.mark.parametrize("words", [("operator", "operator"), ("agent", "agent", "--node", "n1")])
def test_without_a_cluster_it_says_so(lab: Lab, run: Run, words: tuple[str, ...]) -> None:
    container = run(words[0], lab.host("cluster"), *words[1:])
    assert container.wait() == 2, container.said()
    assert "--kubeconfig: is not given, and this process runs in no pod" in container.said()


def test_an_agent_without_api_server_waits_and_ends_in_order(
    lab: Lab, run: Run, kubeconfig: Mount
) -> None:
    words = ("agent", "--node", "n1", f"--kubeconfig={SECRETS}/config")
    agent = run("agent", lab.host("cluster"), *words, mounts=(kubeconfig,))
    until(
        lambda: NOWHERE.removeprefix("https://").split(":")[0] in agent.said(),
        "it tried",
        evidence=agent.said,
    )
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0, agent.said()
