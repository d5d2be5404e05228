"""Attribution of single keys, where no set-up on this machine makes the difference."""

from errno import EINVAL, ENOMEM, EOPNOTSUPP

from xdpredirect.agent.losses import MEMBERS, NO_MAP, Attributed, Scene, attribute
from xdpredirect.agent.meanings import (
    InterfaceMeaning,
    MapMeaning,
    Meanings,
    RuleMeaning,
    Section,
)
from xdpredirect.datapath.abi import Event, LossKey
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.host import Host, Link, XdpMode

HOST = Host(links=(Link(ifindex=2, name="in"), Link(ifindex=3, name="p1")), kernel=(6, 18))
MAP, PROGRAM = 10, 20


def refused(error: int, **fields: int) -> LossKey:
    zeroes = {"program": PROGRAM, "map": MAP, "index": 0, "origin": 2, "to": 0}
    return LossKey(event=Event.REDIRECT_ERR, error=error, **{**zeroes, **fields})


def found(key: LossKey, scene: Scene) -> Attributed:
    attributed = attribute(key, scene)
    assert attributed is not None
    return attributed


def flood() -> Meanings:
    """Rule o/r on `in` floods through map MAP."""
    rule = RuleMeaning(object="o", rule="r", on_miss="Drop", devices=(2, 3), broadcast=True)
    section = Section(first=0, count=2, object="o", rule="r")
    there = MapMeaning(
        id=MAP, interface="in", name="m", type=MapType.DEVMAP_HASH, sections=(section,)
    )
    interface = InterfaceMeaning(name="in", ifindex=2, mode=XdpMode.NATIVE, rules=(rule,))
    return Meanings(maps={MAP: there}, programs={PROGRAM: "in"}, interfaces={2: interface})


def test_a_broadcast_blames_no_member() -> None:
    """The kernel shows the device of entry 0, whichever member it was that refused."""
    for shown in (0, 2, 3):
        cause, hint = found(refused(ENOMEM, to=shown), Scene(flood(), HOST))
        assert (cause.object, cause.rule, cause.target) == ("o", "r", MEMBERS)
        assert "p1" not in hint


def test_a_map_of_others_is_what_the_kernel_says_it_is() -> None:
    types = {MAP: MapType.XSKMAP}
    (cause, _) = found(refused(ENOMEM, index=5), Scene(Meanings(), HOST, types))
    assert (cause.reason, cause.target, cause.foreign) == ("SocketFillRingEmpty", "socket 5", True)


def test_a_map_of_others_that_is_gone_is_not_guessed() -> None:
    scene = Scene(Meanings(), HOST)
    assert found(refused(EINVAL), scene).cause.reason == "Unexplained"
    # A device was named, so it was a map of devices.
    cause = found(refused(EOPNOTSUPP, to=3), scene).cause
    assert (cause.reason, cause.target) == ("TargetCannotTransmit", "p1")


def test_without_a_map_the_key_is_the_device() -> None:
    cause, hint = found(refused(EINVAL, map=NO_MAP, index=77), Scene(Meanings(), HOST))
    assert (cause.reason, cause.target) == ("DeviceGone", "ifindex 77")
    assert "ifindex 77" in hint
