"""What kopf is told: times that its server takes, no name of its own in our objects."""

from itertools import islice
from pathlib import Path

from xdpredirect.cluster.access import Access
from xdpredirect.controller.handlers import Backoffs, connection, settings
from xdpredirect.controller.observed import FINALIZER


def test_the_server_takes_integers_only_as_timeouts() -> None:
    watching = settings().watching
    assert watching.server_timeout is not None
    assert watching.client_timeout is not None
    assert type(watching.server_timeout) is int
    assert watching.client_timeout > watching.server_timeout


def test_no_other_operator_and_no_scan_concerns_it() -> None:
    made = settings()
    assert made.peering.standalone
    assert made.scanning.disabled
    assert not made.posting.enabled
    assert not made.posting.loggers


def test_kopf_never_takes_our_finalizer_for_its_own() -> None:
    assert settings().persistence.finalizer != FINALIZER
    assert "zalando" not in settings().persistence.finalizer


def test_an_outage_has_no_last_attempt() -> None:
    delays = list(islice(Backoffs(), 1000))
    assert len(delays) == 1000
    assert 0 < min(delays) < max(delays) < 20


def test_a_token_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    token = tmp_path / "token"
    access = Access(server="https://api:6443", token_file=token)
    for text in ("first", "second"):
        token.write_text(f"{text}\n")
        assert connection(access).token == text
