"""Kubeconfig files, what a pod is given, and files that are renewed."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cluster.fake_server import listing, serving
from xdpredirect.cluster.access import Access, access_in_pod
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.credentials import TokenFile, stamp, tls_context
from xdpredirect.cluster.kubeconfig import access_from
from xdpredirect.cluster.resource import NODES
from xdpredirect.errors import InvalidInput
from xdpredirect.settings import service_address


def kubeconfig(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    file = path / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "other", "cluster": {}}, {"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(yaml.safe_dump(config))
    return file


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_token_and_authority(tmp_path: Path) -> None:
    file = kubeconfig(
        tmp_path,
        {"server": "https://10.0.0.1:6443/", "certificate-authority-data": encoded("PEM")},
        {"token": "secret"},
    )
    assert access_from(file) == Access(
        server="https://10.0.0.1:6443", ca_text="PEM", token="secret"
    )


def test_files_are_seen_from_the_kubeconfig(tmp_path: Path) -> None:
    file = kubeconfig(
        tmp_path,
        {
            "server": "https://h:1",
            "certificate-authority": "ca.crt",
            "tls-server-name": "kubernetes",
            "insecure-skip-tls-verify": False,
        },
        {
            "tokenFile": "/run/token",
            "token": "older",
            "client-certificate": "me.crt",
            "client-key-data": encoded("KEY"),
        },
    )
    assert access_from(file) == Access(
        server="https://h:1",
        ca_file=tmp_path / "ca.crt",
        server_name="kubernetes",
        token_file=Path("/run/token"),
        certificate_file=tmp_path / "me.crt",
        key_text="KEY",
    )


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({}, {}, "server is missing"),
        ({"server": "10.0.0.1"}, {}, "is no URL"),
        ({"server": "https://h"}, {"exec": {"command": "aws"}}, "exec is not supported"),
        ({"server": "https://h"}, {"username": "me"}, "username is not supported"),
        ({"server": "https://h", "proxy-url": "http://p"}, {}, "proxy-url is not supported"),
        ({"server": "https://h", "certificate-authority-data": "&"}, {}, "config: "),
    ],
)
def test_what_is_not_supported_is_named(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        access_from(kubeconfig(tmp_path, cluster, user))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "not a mapping"),
        ("{", "not YAML"),
        ("current-context: x", "has no context named 'x'"),
        ("{}", "current-context is missing"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(InvalidInput, match=words):
        access_from(tmp_path / "config")


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        Api.connect(tmp_path / "config", "test")


def test_the_address_that_kubelet_gives() -> None:
    assert service_address({}) == ""
    given = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "8443"}
    assert service_address(given) == "https://10.96.0.1:8443"
    assert service_address({"KUBERNETES_SERVICE_HOST": "fd00::1"}) == "https://[fd00::1]:443"


def test_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(InvalidInput, match="runs in no pod"):
        access_in_pod(tmp_path)
    (tmp_path / "token").write_text("t")
    found = access_in_pod(tmp_path)
    assert found.server == "https://10.96.0.1:443"
    assert (found.token_file, found.ca_file) == (tmp_path / "token", tmp_path / "ca.crt")


def test_a_token_file_is_read_again_when_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    token = TokenFile(path)
    assert token.read() == "one"
    path.rename(tmp_path / "old")
    assert token.read() == "one"
    path.write_text("two")
    assert token.read() == "two"


def test_a_stamp_of_nothing(tmp_path: Path) -> None:
    assert stamp(tmp_path / "x") is None


def test_certificates_as_text_and_as_files(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=me",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    for access in (
        Access(server="https://h", ca_file=certificate, certificate_file=certificate, key_file=key),
        Access(
            server="https://h",
            ca_text=certificate.read_text(),
            certificate_text=certificate.read_text(),
            key_text=key.read_text(),
        ),
    ):
        assert [ca["subject"] for ca in tls_context(access).get_ca_certs()] == [
            ((("commonName", "me"),),)
        ]
    with pytest.raises(InvalidInput, match="https://h"):
        tls_context(Access(server="https://h", ca_file=tmp_path / "missing"))


def test_a_path_in_front_of_the_api() -> None:
    with serving(listing()) as server:
        access = Access(server=f"{server.access.server}/k8s/clusters/c1", token="secret")
        Api(access, "test").list(NODES)
    (asked,) = server.requests
    assert asked.path == "/k8s/clusters/c1/api/v1/nodes"
    assert asked.headers["authorization"] == "Bearer secret"
