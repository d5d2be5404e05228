"""The table of reasons: each row explains what it should, in words that fit, and the page is up
to date."""

import errno
import re
from pathlib import Path

import pytest

from xdpredirect.datapath.abi import Event
from xdpredirect.host import Link, XdpFeatures, XdpMode
from xdpredirect.reasons import HINT_LIMIT, REASONS, Facts, MapKind, Own, explain, reason_of
from xdpredirect.reasons.facts import words_of
from xdpredirect.reasons.page import page

DOC = Path(__file__).parents[2] / "docs" / "drop-reasons.md"
ERR, XMIT, TX = Event.REDIRECT_ERR, Event.DEVMAP_XMIT, Event.BULK_TX
DEVICE, CPU, SOCKET = MapKind.DEVICE, MapKind.CPU, MapKind.SOCKET
XMIT_ONLY = XdpFeatures.BASIC | XdpFeatures.NDO_XMIT


def nic(**more: object) -> Link:
    return Link(**{"ifindex": 3, "name": "eth2", "up": True, "tx_channels": 4, **more})  # type: ignore[arg-type]


def veth(**more: object) -> Link:
    return nic(kind="veth", driver="veth", tx_channels=1, **more)


PEER = Link(ifindex=4, name="peer", kind="veth", up=True)
ROWS: list[tuple[str, Facts]] = [
    ("TargetDown", Facts(event=ERR, errno=errno.ENETDOWN, map=DEVICE, link=nic(up=True))),
    ("TargetDown", Facts(event=XMIT, errno=errno.ENETDOWN, map=DEVICE, link=nic(up=False))),
    ("DeviceResetting", Facts(event=XMIT, errno=errno.ENETDOWN, map=DEVICE, link=nic())),
    ("FrameTooBig", Facts(event=ERR, errno=errno.EMSGSIZE, map=DEVICE)),
    ("BroadcastOfFragments", Facts(event=ERR, errno=95, map=DEVICE, broadcast=True)),
    ("TargetCannotTakeFragments", Facts(event=ERR, errno=95, map=DEVICE,
                                        link=nic(features=XMIT_ONLY))),
    ("TargetCannotTransmit", Facts(event=ERR, errno=95, map=DEVICE, link=veth())),
    ("TargetCannotTransmit", Facts(event=ERR, errno=95, map=DEVICE,
                                   link=nic(features=XdpFeatures.BASIC))),
    ("TooManyUpperDevices", Facts(event=ERR, errno=errno.EOVERFLOW, map=DEVICE, broadcast=True)),
    ("NoHeadroom", Facts(event=ERR, errno=errno.EOVERFLOW, map=DEVICE)),
    ("NoHeadroom", Facts(event=ERR, errno=errno.EOVERFLOW, map=CPU)),
    ("NoHeadroom", Facts(event=Own.REWRITE)),
    ("MapFreed", Facts(event=ERR, errno=errno.ENOENT, map=DEVICE)),
    ("CopyFailed", Facts(event=ERR, errno=errno.ENOMEM, map=DEVICE)),
    ("DeviceGone", Facts(event=ERR, errno=errno.EINVAL)),
    ("NoTarget", Facts(event=ERR, errno=56)),
    ("PeerDown", Facts(event=XMIT, errno=errno.ENXIO, map=DEVICE, link=veth(), kernel=(6, 18))),
    ("PeerDown", Facts(event=TX, errno=errno.ENXIO, map=DEVICE, link=veth(), kernel=(6, 1))),
    ("TargetCannotTransmit", Facts(event=XMIT, errno=errno.ENXIO, map=DEVICE,
                                   link=veth(carrier=True), kernel=(6, 1))),
    ("PeerDown", Facts(event=XMIT, errno=errno.ENXIO, map=DEVICE, link=veth(carrier=True),
                       kernel=(6, 18))),
    ("TargetCannotTransmit", Facts(event=TX, errno=errno.ENXIO, map=DEVICE,
                                   link=veth(carrier=True), kernel=(6, 18))),
    ("TapWithoutReader", Facts(event=XMIT, errno=errno.ENXIO, map=DEVICE, link=nic(driver="tun"),
                               cpus=8)),
    ("TooFewTransmitQueues", Facts(event=XMIT, errno=errno.ENXIO, map=DEVICE, link=nic(), cpus=8)),
    ("DeviceResetting", Facts(event=XMIT, errno=errno.ENXIO, map=DEVICE, link=nic(), cpus=4)),
    ("DeviceResetting", Facts(event=XMIT, errno=errno.EINVAL, map=DEVICE, link=nic())),
    ("EgressProgramFailed", Facts(event=XMIT, map=DEVICE, link=veth(), egress=True)),
    ("PeerMtuSmaller", Facts(event=XMIT, map=DEVICE, link=veth(mtu=3000), peer=PEER)),
    ("PeerRingFull", Facts(event=XMIT, map=DEVICE, link=veth(), peer=PEER)),
    ("PeerRefused", Facts(event=XMIT, map=DEVICE, link=veth())),
    ("TapReaderSlow", Facts(event=XMIT, map=DEVICE, link=nic(driver="tun"))),
    ("TransmitRingFull", Facts(event=XMIT, map=DEVICE, link=nic())),
    ("CpuQueueFull", Facts(event=Event.CPUMAP_ENQUEUE, map=CPU)),
    ("CpuQueueFull", Facts(event=ERR, errno=errno.ENOSPC, map=CPU)),
    ("CpuOutOfMemory", Facts(event=Event.CPUMAP_KTHREAD, map=CPU)),
    ("CpuProgramDropped", Facts(event=Event.CPUMAP_PROGRAM, map=CPU)),
    ("SocketWrongQueue", Facts(event=ERR, errno=errno.EINVAL, map=SOCKET, kernel=(6, 1))),
    ("SocketNotBound", Facts(event=ERR, errno=errno.EINVAL, map=SOCKET, kernel=(5, 15))),
    ("SocketNotBound", Facts(event=ERR, errno=errno.ENXIO, map=SOCKET, kernel=(6, 1))),
    ("SocketRingFull", Facts(event=ERR, errno=errno.ENOBUFS, map=SOCKET, kernel=(6, 1))),
    ("SocketRingFull", Facts(event=ERR, errno=errno.ENOSPC, map=SOCKET, kernel=(5, 15))),
    ("SocketFillRingEmpty", Facts(event=ERR, errno=errno.ENOMEM, map=SOCKET, kernel=(6, 1))),
    ("FrameTooBigForSocket", Facts(event=ERR, errno=errno.ENOSPC, map=SOCKET, kernel=(6, 1))),
    ("BroadcastWithoutMember", Facts(event=Own.MISS, broadcast=True)),
    ("NoEntry", Facts(event=Own.MISS)),
    ("TransmitQueueStopped", Facts(event=Event.EXCEPTION, verdict=3, mode=XdpMode.GENERIC)),
    ("TransmitRefused", Facts(event=Event.EXCEPTION, verdict=3, mode=XdpMode.NATIVE)),
    ("ProgramAborted", Facts(event=Event.EXCEPTION, verdict=0)),
    ("UnknownVerdict", Facts(event=Event.EXCEPTION, verdict=9)),
    ("TooManyCauses", Facts(event=Event.UNLISTED)),
    ("Unexplained", Facts(event=ERR, errno=errno.EINVAL, map=MapKind.UNKNOWN)),
    ("Unexplained", Facts(event=ERR, errno=errno.EPERM, map=DEVICE)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "facts"), ROWS, ids=lambda value: str(value)[:40])
def test_each_row_explains_its_facts(name: str, facts: Facts) -> None:
    assert explain(facts)[0] == name


def test_every_row_is_reached() -> None:
    assert {id(reason_of(facts)) for _, facts in ROWS} == {id(row) for row in REASONS}


def test_hints_fit_the_status_whole_and_leave_no_placeholder() -> None:
    """With names as long as an interface can have."""
    for _, facts in ROWS:
        long = "x" * 15
        row = reason_of(facts)
        text = f"{row.cause} {row.fix}"
        words = {**words_of(facts), "interface": long, "target": long, "peer": long}
        assert set(re.findall(r"\{(\w+)\}", text)) <= set(words), row.name
        assert len(text.format_map(words)) <= HINT_LIMIT, row.name
        assert text.count("`") % 2 == 0
        assert not re.search(r"[{}]", explain(facts)[1])
        assert re.fullmatch(r"([A-Z][a-z]+)+", row.name)


def test_the_hint_names_the_device_and_the_command() -> None:
    facts = Facts(event=ERR, errno=errno.ENETDOWN, map=DEVICE, interface="in", target="eth2")
    hint = explain(facts)[1]
    assert hint.startswith("eth2 is down. ")
    assert "`ip link set eth2 up`" in hint


def test_the_page_is_generated_from_the_table() -> None:
    assert DOC.read_text() == page(), "run `python -m xdpredirect.reasons` into it"
