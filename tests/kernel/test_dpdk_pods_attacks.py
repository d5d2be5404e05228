"""Attacks on the map of a pod by protocol DevicePlugin: each fails with the right reason, and
whoever got a map once holds one that leads nowhere when the device is another's."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.kernel.dpdk_pods import A, B, Pod, PodHanding, whole
from tests.kernel.handing import frames
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.moving import OWN
from tests.kernel.test_actions_sockets import arrived
from tests.kernel.test_dpdk import misses
from tests.kernel.xsk import XdpSocket
from tests.unit.xsk.plugin import Client
from xdpredirect.datapath.abi import U32
from xdpredirect.kernel.maps import Map, map_id, map_spec

N = 50
HELLO, ASK = b"/connect,pod-1", f"/xsk_map_fd,{OWN}".encode()


@pytest.fixture
def handing(lab: Lab) -> PodHanding:
    return PodHanding(lab)


@contextmanager
def granted(handing: PodHanding, pod: Pod) -> Iterator[int]:
    """The map, which this process then has as the pod would have it."""
    with handing.client(pod) as client:
        assert client.say(HELLO) == b"/host_ok", handing.log()
        assert client.say(ASK) == b"/fd_ack", handing.log()
        kept = os.dup(client.received[0])
    try:
        yield kept
    finally:
        os.close(kept)


def refused(handing: PodHanding, client: Client, why: str) -> None:
    """Told no, and the end; nothing was sent along."""
    assert client.say(HELLO) == b"/host_nak", handing.log()
    assert client.hear() is None
    assert not client.received
    assert f": {why}, " in handing.log()


def fill(number: int, xsk: XdpSocket) -> None:
    """Queue 0 of the map is this socket's from now on, whatever was in it."""
    with Map(os.dup(number), map_spec(number)) as slots:
        slots.put(U32.pack(0), U32.pack(xsk.fd))


def receives(handing: PodHanding, xsk: XdpSocket) -> None:
    sent = frames(N)
    handing.far.send(sent)
    assert arrived(xsk, N) == sent


def misses_all(handing: PodHanding) -> None:
    """The map that runs has no socket."""
    before = misses(handing)
    handing.far.send(frames(N))
    until(lambda: misses(handing) == before + N, "misses")


def test_processes_of_no_pod(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(A) as pod:
        handing.serves()
        for away in (False, True):
            if away:
                handing.give(pod)
                handing.is_away()
            for host in (handing.dut, pod.host):
                with handing.client(host) as client:
                    refused(handing, client, "NotGranted")


def test_a_pod_that_is_no_client_even_with_the_device(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(B) as stranger:
        handing.serves()
        handing.give(stranger)
        with handing.client(stranger) as client:
            refused(handing, client, "NotGranted")
        misses_all(handing)


def test_a_device_that_is_at_home(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(A) as pod:
        handing.serves()
        with handing.client(pod) as client:
            refused(handing, client, "InterfaceHere")


def test_a_pod_in_the_network_of_the_agent(handing: PodHanding) -> None:
    handing.want(whole(), (A, B))
    with handing.agent(), handing.pod_of(A) as pod, handing.pod_of(B, "dut") as in_host:
        handing.serves()
        handing.give(pod)
        handing.is_away()
        with handing.client(in_host) as client:
            refused(handing, client, "WrongNamespace")


def test_a_granted_pod_with_a_device_of_the_same_name_and_number(handing: PodHanding) -> None:
    handing.want(whole(), (A, B))
    with handing.agent(), handing.pod_of(A) as pod, handing.pod_of(B, "other") as other:
        handing.serves()
        handing.give(pod)
        handing.twin(other)
        with granted(handing, pod) as number, closing(XdpSocket(handing.port(pod))) as xsk:
            xsk.bind()
            fill(number, xsk)
            with handing.client(other) as client:
                refused(handing, client, "WrongNamespace")
            receives(handing, xsk)


def test_names_that_are_not_the_devices(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(A) as pod:
        handing.serves()
        handing.give(pod)
        for name in (b"in", b"", b"net1,net1", b"net1\0", b"net10", b"lo"):
            with handing.client(pod) as client:
                assert client.say(HELLO) == b"/host_ok"
                assert client.say(b"/xsk_map_fd," + name) is None
                assert not client.received
        with handing.client(pod) as client:
            assert client.say(HELLO) == b"/host_ok"
            pod.host.ip("link", "set", OWN, "name", "net2")
            assert client.say(ASK) is None
            assert not client.received


def test_who_has_lost_the_device_since_it_connected(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(A) as pod:
        handing.serves()
        handing.give(pod)
        with handing.client(pod) as client:
            assert client.say(HELLO) == b"/host_ok"
            handing.take_back(pod)
            assert client.say(ASK) is None
            assert not client.received


def test_the_next_pod_has_another_map_and_the_last_one_leads_nowhere(handing: PodHanding) -> None:
    handing.want(whole(), (A, B))
    with (
        handing.agent(),
        handing.pod_of(A) as first,
        handing.pod_of(B, "other") as second,
        ExitStack() as stack,
    ):
        handing.serves()
        handing.give(first)
        of_first = stack.enter_context(granted(handing, first))
        intruder = stack.enter_context(closing(XdpSocket(handing.far)))
        intruder.bind()
        fill(of_first, intruder)
        before = misses(handing)
        handing.far.send(frames(N))
        # The kernel drops what comes to a socket of another device, but the map is the one in use.
        until(lambda: handing.matched() >= before + N, "frames")
        assert misses(handing) == before
        handing.take_back(first)
        until(lambda: handing.holders() == {""}, "a map of nobody's")
        misses_all(handing)
        handing.give(second)
        of_second = stack.enter_context(granted(handing, second))
        assert map_id(of_second) != map_id(of_first)
        mine = stack.enter_context(closing(XdpSocket(handing.port(second))))
        mine.bind()
        fill(of_second, mine)
        fill(of_first, intruder)
        receives(handing, mine)


def test_the_next_pod_has_another_map_though_no_agent_saw_the_device_move(
    handing: PodHanding,
) -> None:
    handing.want(whole(), (A, B))
    with (
        handing.pod_of(A) as first,
        handing.pod_of(B, "other") as second,
        ExitStack() as stack,
    ):
        with handing.agent() as agent:
            handing.serves()
            handing.give(first)
            of_first = stack.enter_context(granted(handing, first))
            agent.send_signal(signal.SIGKILL)
            agent.wait(60)
        handing.take_back(first)
        handing.give(second)
        with handing.agent():
            handing.serves()
            assert handing.holders() == {A}
            of_second = stack.enter_context(granted(handing, second))
            assert map_id(of_second) != map_id(of_first)
            until(lambda: handing.holders() == {B}, "the end of the first map")
            misses_all(handing)


def test_a_pod_keeps_its_map_until_it_is_no_more_a_client(handing: PodHanding) -> None:
    handing.want(whole())
    with handing.agent(), handing.pod_of(A) as pod, ExitStack() as stack:
        handing.serves()
        handing.give(pod)
        number = stack.enter_context(granted(handing, pod))
        again = stack.enter_context(granted(handing, pod))
        assert map_id(number) == map_id(again)
        xsk = stack.enter_context(closing(XdpSocket(handing.port(pod))))
        xsk.bind()
        fill(number, xsk)
        receives(handing, xsk)
        handing.want(whole(), pods=(B,))
        until(lambda: handing.holders() == {""}, "a map of nobody's")
        misses_all(handing)
        with handing.client(pod) as client:
            refused(handing, client, "NotGranted")


def test_a_pod_that_is_there_before_its_device_and_its_grant(handing: PodHanding) -> None:
    """As when a pod starts faster than the node is told of it."""
    handing.want(whole(), pods=(B,))
    with handing.agent(), handing.pod_of(A) as pod:
        handing.serves()
        with handing.client(pod) as client:
            client.socket.send(HELLO)
            handing.want(whole(), pods=(A,))
            handing.give(pod)
            assert client.hear() == b"/host_ok", handing.log()
            assert client.say(ASK) == b"/fd_ack"
