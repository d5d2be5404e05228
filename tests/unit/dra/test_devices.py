"""Names of devices: DNS labels, one for each queue, and what the scheduler reads of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.dra.devices import Device, encoded

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PLACES = st.tuples(
    st.text(st.characters(exclude_characters="/ ", max_codepoint=126, min_codepoint=33), min_size=1)
    .filter(lambda name: len(name) < 16)
    .flatmap(lambda name: st.sampled_from([name, "x-" + name.encode().hex()[:12]])),
    st.integers(0, 9999),
)


def device(interface: str, queue: int) -> Device:
    return Device(interface=interface, queue=queue, redirect="ids")


@pytest.mark.parametrize(
    ("interface", "name"),
    [
        ("eth0", "eth0-3"),
        ("enp1s0f0-1", "enp1s0f0-1-3"),
        ("eth0.100", "x-657468302e313030-3"),
        ("ETH0", "x-45544830-3"),
        ("x-65", "x-782d3635-3"),
    ],
)
def test_a_device_is_called_like_its_queue(interface: str, name: str) -> None:
    assert device(interface, 3).name == name


@given(PLACES, PLACES)
def test_no_two_queues_are_one_device(one: tuple[str, int], two: tuple[str, int]) -> None:
    names = device(*one).name, device(*two).name
    assert all(LABEL.fullmatch(name) for name in names)
    assert (names[0] == names[1]) == (one == two)


def test_what_is_not_known_is_no_attribute() -> None:
    assert encoded(device("eth0", 3)) == {
        "name": "eth0-3",
        "attributes": {
            "interface": {"string": "eth0"},
            "queue": {"int": 3},
            "redirect": {"string": "ids"},
            "zeroCopy": {"bool": False},
        },
    }
    known = Device(
        interface="eth0", queue=3, redirect="ids", driver="ice", numa_node=0, zero_copy=True
    )
    attributes = encoded(known)["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["driver"] == {"string": "ice"}
    assert attributes["resource.kubernetes.io/numaNode"] == {"int": 0}
    assert attributes["zeroCopy"] == {"bool": True}
