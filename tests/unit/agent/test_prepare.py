"""The plan of `prepare: Apply`: what is wanted, and that every crash converges and is undone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.agent.findings import Target, Usage
from xdpredirect.agent.prepare import (
    PASS_PROGRAM,
    PROMISCUOUS,
    AttachPass,
    DetachPass,
    Forget,
    PrepareAction,
    Record,
    Recorded,
    SetOffload,
    SetPromiscuous,
    Setting,
    plan_prepare,
    wanted_settings,
)
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

ALL, NO_XMIT = XdpFeatures(0x67), XdpFeatures(0x2B)
NIC = Link(ifindex=2, name="eth1", mac=b"\2", driver="ice", up=True, carrier=True, features=ALL)
OUT = replace(NIC, ifindex=3, mac=b"\3", name="eth2", features=NO_XMIT)
V = replace(NIC, ifindex=5, mac=b"\5", name="v0", kind="veth", lower=6, features=NO_XMIT)
P = replace(V, ifindex=6, mac=b"\6", name="p0", lower=5)


def use(link: Link, mode: XdpMode = XdpMode.NATIVE, **more: object) -> Usage:
    return Usage(object="o", interface=link, mode=mode, prepare=True, **more)  # type: ignore[arg-type]


def to(link: Link) -> tuple[Target, ...]:
    return (Target(rule="r", kind="device", name=link.name, link=link),)


def wanted(
    usage: Usage, *links: Link, recorded: tuple[Recorded, ...] = ()
) -> set[tuple[int, str, bool]]:
    host = Host(links=(usage.interface, *links))
    return {(s.ifindex, s.knob, s.on) for s in wanted_settings([usage], recorded, host)}


def test_native_nic() -> None:
    assert wanted(use(NIC, redirects=True)) == {
        (2, "rx-vlan-hw-parse", False),
        (2, "rx-lro", False),
    }


def test_generic_nic() -> None:
    assert wanted(use(NIC, XdpMode.GENERIC, redirects=True)) == {
        (2, "rx-gro", False),
        (2, "rx-gro-hw", False),
        (2, "rx-lro", False),
    }


def test_only_objects_that_say_apply() -> None:
    assert wanted(replace(use(NIC, redirects=True, wire=True), prepare=False)) == set()


def test_wire_is_promiscuous_but_a_veth_needs_not() -> None:
    assert (2, PROMISCUOUS, True) in wanted(use(NIC, wire=True))
    assert not {s for s in wanted(use(V, wire=True), P) if s[1] == PROMISCUOUS}


def test_the_sender_behind_a_veth() -> None:
    assert wanted(use(V, redirects=True), P) == {
        (5, "rx-lro", False),
        (6, "tx-vlan-hw-insert", False),
        (6, "tx-vlan-stag-hw-insert", False),
        (6, "tx-checksum-ip-generic", False),
    }


def test_a_target_that_lacks_only_a_program() -> None:
    usage = use(NIC, targets=to(OUT))
    assert (3, PASS_PROGRAM, True) in wanted(usage, OUT)
    other = replace(OUT, xdp_prog_id=9)
    assert (3, PASS_PROGRAM, True) not in wanted(use(NIC, targets=to(other)), other)
    never = replace(OUT, features=XdpFeatures(0))
    assert (3, PASS_PROGRAM, True) not in wanted(use(NIC, targets=to(never)), never)
    generic = use(NIC, XdpMode.GENERIC, targets=to(OUT))
    assert (3, PASS_PROGRAM, True) not in wanted(generic, OUT)


def test_a_pass_program_stays_wanted_once_it_works() -> None:
    works = replace(OUT, features=ALL, xdp_prog_id=9)
    entry = Recorded(ifindex=3, mac=b"\3", knob=PASS_PROGRAM, original=False)
    usage = use(NIC, targets=to(works))
    assert (3, PASS_PROGRAM, True) in wanted(usage, works, recorded=(entry,))
    assert (3, PASS_PROGRAM, True) not in wanted(usage, works)


def test_no_pass_program_where_a_redirect_program_goes() -> None:
    usages = [use(NIC, targets=to(OUT)), replace(use(OUT), prepare=False)]
    settings = wanted_settings(usages, (), Host(links=(NIC, OUT)))
    assert PASS_PROGRAM not in {s.knob for s in settings}


def test_the_peer_of_a_veth_target_gets_gro() -> None:
    assert (6, "rx-gro", True) in wanted(use(NIC, targets=to(V)), V, P)
    deaf = replace(P, offloads={"rx-gro": True})
    found = wanted(use(NIC, targets=to(V)), V, deaf)
    assert (6, PASS_PROGRAM, True) in found
    assert (6, "rx-gro", True) not in found
    far = replace(V, lower_here=False)
    assert not {s for s in wanted(use(NIC, targets=to(far)), far) if s[0] != 2}


def test_tx_on_a_veth_gets_a_program_at_the_peer() -> None:
    assert (6, PASS_PROGRAM, True) in wanted(use(V, tx=True), P)
    assert (6, PASS_PROGRAM, True) not in wanted(use(V, XdpMode.GENERIC, tx=True), P)
    own = replace(P, xdp_prog_id=9)
    assert (6, PASS_PROGRAM, True) not in wanted(use(V, tx=True), own)


def test_gro_on_wins() -> None:
    usages = [
        use(P, XdpMode.GENERIC, redirects=True),
        use(NIC, targets=to(V)),
    ]
    for order in (usages, usages[::-1]):
        settings = wanted_settings(order, (), Host(links=(NIC, V, P)))
        assert Setting(ifindex=6, knob="rx-gro", on=True) in settings
        assert Setting(ifindex=6, knob="rx-gro", on=False) not in settings


KNOBS = ("rx-gro", "rx-lro", PROMISCUOUS, PASS_PROGRAM)
LINKS = (2, 3)


def host_of(state: dict[tuple[int, str], bool]) -> Host:
    return Host(
        links=tuple(
            Link(
                ifindex=n,
                name=f"eth{n}",
                mac=bytes([n]),
                offloads={k: state[n, k] for k in KNOBS[:2]},
                promiscuity=int(state[n, PROMISCUOUS]),
                xdp_prog_id=7 * state[n, PASS_PROGRAM],
            )
            for n in LINKS
        )
    )


def act(action: PrepareAction, state: dict[tuple[int, str], bool], recorded: set[Recorded]) -> None:
    match action:
        case Record(entry):
            recorded.add(entry)
        case Forget(entry):
            recorded.discard(entry)
        case SetOffload(ifindex=ifindex, offload=offload, on=on):
            state[ifindex, offload] = on
        case SetPromiscuous(ifindex=ifindex, on=on):
            state[ifindex, PROMISCUOUS] = on
        case AttachPass(ifindex):
            state[ifindex, PASS_PROGRAM] = True
        case DetachPass(ifindex):
            state[ifindex, PASS_PROGRAM] = False


KEYS = st.sampled_from([(n, knob) for n in LINKS for knob in KNOBS])
STATES = st.fixed_dictionaries({(n, knob): st.booleans() for n in LINKS for knob in KNOBS})
GOALS = st.lists(st.dictionaries(KEYS, st.booleans()), max_size=3)


@given(state=STATES, goals=GOALS, crashes=st.lists(st.integers(0, 20), max_size=6))
def test_every_crash_converges_and_the_end_is_as_the_start(
    state: dict[tuple[int, str], bool],
    goals: list[dict[tuple[int, str], bool]],
    crashes: list[int],
) -> None:
    """Each goal is tried with a crash after some prefix, then for good; the last one is no goal."""
    original = dict(state)
    recorded: set[Recorded] = set()
    for goal in [*goals, {}]:
        settings = [Setting(ifindex=n, knob=k, on=on) for (n, k), on in goal.items()]
        for prefix in [*crashes, None]:
            plan = plan_prepare(settings, sorted(recorded), host_of(state))
            for action in plan[:prefix]:
                act(action, state, recorded)
                # Whatever differs from the start is on record at every moment.
                changed = {key for key in state if state[key] != original[key]}
                assert changed <= {(e.ifindex, e.knob) for e in recorded}
        assert plan_prepare(settings, sorted(recorded), host_of(state)) == ()
        assert {**state, **goal} == state
    assert state == original
    assert not recorded


def test_a_record_of_another_link_is_dropped_without_touching_anything() -> None:
    gone = Recorded(ifindex=9, mac=b"\2", knob="rx-gro", original=True)
    recycled = Recorded(ifindex=2, mac=b"other", knob="rx-gro", original=True)
    host = Host(links=(replace(NIC, offloads={"rx-gro": False}),))
    assert plan_prepare([], [gone, recycled], host) == (Forget(recycled), Forget(gone))


def test_a_setting_that_the_user_put_back_is_left_alone() -> None:
    entry = Recorded(ifindex=2, mac=b"\2", knob="rx-gro", original=True)
    host = Host(links=(replace(NIC, offloads={"rx-gro": True}),))
    assert plan_prepare([], [entry], host) == (Forget(entry),)


def test_an_offload_that_the_device_does_not_know_is_skipped() -> None:
    goal = Setting(ifindex=2, knob="rx-lro", on=False)
    assert plan_prepare([goal], [], Host(links=(NIC,))) == ()
