"""Settings: options before variables before defaults, and a sentence for every wrong value."""

from dataclasses import fields
from pathlib import Path

import pytest

from xdpredirect.errors import InvalidInput
from xdpredirect.settings import OPTIONS, Settings, read

SOURCE = Path(__file__).parents[3] / "operator" / "xdpredirect"


def test_nothing_given_is_the_documented_default() -> None:
    settings = read({}, {})
    assert settings == Settings()
    assert settings.owns_store
    assert [str(settings.bpffs), str(settings.state_dir)] == [
        "/sys/fs/bpf/xdpredirect",
        "/var/lib/xdpredirect",
    ]


def test_every_setting_is_an_option_and_a_variable() -> None:
    assert [option.field for option in OPTIONS] == [field.name for field in fields(Settings)]
    assert [option.variable for option in OPTIONS] == [
        "XDPREDIRECT_BPFFS",
        "XDPREDIRECT_STATE_DIR",
        "XDPREDIRECT_FILES",
        "XDPREDIRECT_COMPILER_PYTHON",
        "XDPREDIRECT_NODE_LABELS",
        "XDPREDIRECT_ATTACH",
        "XDPREDIRECT_NODE",
        "XDPREDIRECT_KUBECONFIG",
        "XDPREDIRECT_NAMESPACE",
        "XDPREDIRECT_PROBES",
        "XDPREDIRECT_SILENCE_SECONDS",
        "XDPREDIRECT_AGENTS",
        "XDPREDIRECT_RESYNC_SECONDS",
        "XDPREDIRECT_REPORT_SECONDS",
        "XDPREDIRECT_METRICS",
        "XDPREDIRECT_SOCKETS_DIR",
        "XDPREDIRECT_PLUGINS_DIR",
        "XDPREDIRECT_CDI_DIR",
        "XDPREDIRECT_LOG",
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", "127.0.0.1:9464"),
        (":9464", ":9464"),
        ("[::1]:1", "[::1]:1"),
        ("fd00::5:1", "fd00::5:1"),
        ("", ""),
    ],
)
def test_a_port_alone_is_for_this_machine(text: str, address: str) -> None:
    assert read({"metrics": text}, {}).metrics == address


@pytest.mark.parametrize("text", ["65536", "localhost", "10.0.0.1:"])
def test_an_address_for_metrics_needs_a_port(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no address"):
        read({"metrics": text}, {})


def test_an_option_counts_more_than_a_variable() -> None:
    environ = {"XDPREDIRECT_BPFFS": "/from/variable", "XDPREDIRECT_LOG": "json"}
    settings = read({"bpffs": "/from/option", "attach": ""}, environ)
    assert (str(settings.bpffs), settings.log) == ("/from/option", "json")


def test_the_store_lies_in_the_state_directory() -> None:
    assert read({"state_dir": "/a"}, {}).files == Path("/a/objects")
    followed = read({"state_dir": "/a", "files": "/etc/xdp"}, {})
    assert (followed.files, followed.owns_store) == (Path("/etc/xdp"), False)


def test_a_node_has_a_directory_of_its_own() -> None:
    settings = read(
        {"state_dir": "/a", "node": "worker-1.example"}, {"XDPREDIRECT_KUBECONFIG": "/k"}
    )
    assert (settings.files, settings.owns_store) == (Path("/a/node"), False)
    assert (settings.node, settings.kubeconfig) == ("worker-1.example", Path("/k"))


def test_a_node_and_a_directory_exclude_each_other() -> None:
    with pytest.raises(InvalidInput, match="--node and --files: give one of them"):
        read({"files": "/etc/xdp"}, {"XDPREDIRECT_NODE": "a"})


def test_relative_directories_are_those_of_the_caller(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read({"bpffs": "./x/../bpf/"}, {}).bpffs == tmp_path / "bpf"


def test_labels_are_sorted_pairs() -> None:
    settings = read({"node_labels": "role=edge, example.com/zone=a,empty="}, {})
    assert settings.node_labels == (("empty", ""), ("example.com/zone", "a"), ("role", "edge"))


@pytest.mark.parametrize(
    ("given", "environ", "problem"),
    [
        ({"attach": "ioctl"}, {}, "--attach: 'ioctl' is unknown; write link or netlink"),
        ({}, {"XDPREDIRECT_LOG": "xml"}, "XDPREDIRECT_LOG: 'xml' is unknown; write text or json"),
        (
            {"node": "Worker 1"},
            {},
            "--node: 'Worker 1' is no name of a node; write it as `kubectl get nodes` does",
        ),
        (
            {"resync_seconds": "soon"},
            {},
            "--resync-seconds: 'soon' is not a number; write seconds, such as 30",
        ),
        (
            {"resync_seconds": "0"},
            {},
            "--resync-seconds: 0 is out of range; write 0.1 to 86400 seconds",
        ),
        (
            {"resync_seconds": "nan"},
            {},
            "--resync-seconds: nan is out of range; write 0.1 to 86400 seconds",
        ),
        (
            {"node_labels": "edge"},
            {},
            "--node-labels: 'edge' is not a label; write key=value, separated by commas",
        ),
        (
            {"node_labels": "a=1,a=2"},
            {},
            "--node-labels: label 'a' is given twice, as '1' and '2'",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write(
    given: dict[str, str], environ: dict[str, str], problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(given, environ)
    assert caught.value.problems == (problem,)


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read({"attach": "x", "log": "y"}, {})
    assert len(caught.value.problems) == 2


def test_no_other_module_reads_the_environment() -> None:
    readers = {
        path.name
        for path in SOURCE.rglob("*.py")
        if "os.environ" in (text := path.read_text()) or "getenv" in text
    }
    assert readers == {"settings.py"}


def test_claims_are_those_of_a_node() -> None:
    with pytest.raises(InvalidInput, match="--plugins-dir: needs --node"):
        read({"plugins_dir": "/var/lib/kubelet/plugins_registry"}, {})
    given = read({"plugins_dir": "/var/lib/kubelet/plugins_registry", "node": "node-1"}, {})
    assert given.plugins_dir == Path("/var/lib/kubelet/plugins_registry")
    assert read({}, {}).plugins_dir is None
