"""Which nodes, links and CPUs an object means on a machine."""

import pytest

from xdpredirect.agent.select import choose_cpus, links_of
from xdpredirect.api.action import AutoCPUs, Avoid, CPUs
from xdpredirect.api.labels import LabelRequirement
from xdpredirect.api.match import Range
from xdpredirect.api.redirect import InterfaceTerm, NodeSelector
from xdpredirect.api.selector import selects_labels
from xdpredirect.host import Cpu, Host, Link

# Two NUMA nodes of two cores of two hyperthreads; CPU n and n + 4 are one core.
CPUS = tuple(Cpu(id=n, numa_node=n % 4 // 2, siblings=(n % 4, n % 4 + 4)) for n in range(8))


def machine(**marked: set[int]) -> Host:
    """The machine with CPUs that are isolated, exclusive or offline."""
    return Host(
        cpus=tuple(
            Cpu(
                id=cpu.id,
                numa_node=cpu.numa_node,
                siblings=cpu.siblings,
                isolated=cpu.id in marked.get("isolated", ()),
                exclusive=cpu.id in marked.get("exclusive", ()),
            )
            for cpu in reversed(CPUS)
            if cpu.id not in marked.get("offline", ())
        )
    )


def link(node: int = -1, irq: tuple[int, ...] = ()) -> Link:
    """An arrival interface."""
    return Link(ifindex=2, name="eth0", numa_node=node, irq_cpus=irq)


@pytest.mark.parametrize(
    ("description", "auto", "arrival", "host", "expected"),
    [
        ("all", AutoCPUs(), link(), machine(), (0, 1, 2, 3, 4, 5, 6, 7)),
        ("offline ones do not count", AutoCPUs(count=3), link(), machine(offline={1}), (0, 2, 3)),
        (
            "more than there are",
            AutoCPUs(count=99),
            link(),
            machine(offline={0}),
            tuple(range(1, 8)),
        ),
        (
            "interrupts",
            AutoCPUs(count=2, avoid=(Avoid.IRQ,)),
            link(irq=(0, 2)),
            machine(),
            (1, 3),
        ),
        (
            "isolated",
            AutoCPUs(avoid=(Avoid.ISOLATED,)),
            link(),
            machine(isolated={2, 3, 6, 7}),
            (0, 1, 4, 5),
        ),
        ("isolated, not avoided", AutoCPUs(count=1), link(), machine(isolated={0}), (0,)),
        (
            "of containers",
            AutoCPUs(avoid=(Avoid.EXCLUSIVE,)),
            link(),
            machine(exclusive={0, 1, 2}),
            (3, 4, 5, 6, 7),
        ),
        ("one of each core", AutoCPUs(avoid=(Avoid.SIBLINGS,)), link(), machine(), (0, 1, 2, 3)),
        (
            "the sibling of an avoided CPU is free",
            AutoCPUs(avoid=(Avoid.SIBLINGS, Avoid.IRQ)),
            link(irq=(0,)),
            machine(),
            (1, 2, 3, 4),
        ),
        ("near", AutoCPUs(numa_ingress=True), link(node=1), machine(), (2, 3, 6, 7)),
        ("of no node", AutoCPUs(count=2, numa_ingress=True), link(node=-1), machine(), (0, 1)),
        (
            "everything at once",
            AutoCPUs(
                count=2,
                avoid=(Avoid.IRQ, Avoid.ISOLATED, Avoid.SIBLINGS, Avoid.EXCLUSIVE),
                numa_ingress=True,
            ),
            link(node=1, irq=(2,)),
            machine(isolated={3}, offline={0}),
            (6, 7),
        ),
        (
            "none is left",
            AutoCPUs(avoid=(Avoid.IRQ,)),
            link(irq=tuple(range(8))),
            machine(),
            (),
        ),
    ],
)
def test_automatic_cpus(
    description: str, auto: AutoCPUs, arrival: Link, host: Host, expected: tuple[int, ...]
) -> None:
    assert choose_cpus(CPUs(auto=auto), arrival, host) == expected, description


def test_given_cpus_that_the_machine_lacks_are_left_out() -> None:
    action = CPUs(set=(Range(6, 9), Range(0, 1), Range(1, 1)))
    assert choose_cpus(action, link(), machine()) == (0, 1, 6, 7)
    # One that is only offline keeps its place: it may come back, and a finding names it.
    assert choose_cpus(action, link(), machine(offline={1})) == (0, 1, 6, 7)
    assert choose_cpus(CPUs(set=(Range(8, 9),)), link(), machine()) == ()


LABELS = {"zone": "a", "role": ""}


@pytest.mark.parametrize(
    ("operator", "key", "values", "expected"),
    [
        ("In", "zone", ("b", "a"), True),
        ("In", "zone", ("b",), False),
        ("In", "rack", ("a",), False),
        ("NotIn", "zone", ("b",), True),
        ("NotIn", "zone", ("a",), False),
        ("NotIn", "rack", ("a",), True),
        ("Exists", "role", (), True),
        ("Exists", "rack", (), False),
        ("DoesNotExist", "rack", (), True),
        ("DoesNotExist", "role", (), False),
    ],
)
def test_label_requirements(
    operator: str, key: str, values: tuple[str, ...], expected: bool
) -> None:
    requirement = LabelRequirement(key=key, operator=operator, values=values)
    assert selects_labels(NodeSelector(match_expressions=(requirement,)), LABELS) is expected


def test_labels_are_anded_and_no_requirement_selects_every_node() -> None:
    assert selects_labels(NodeSelector(), {})
    assert selects_labels(NodeSelector(match_labels=(("zone", "a"), ("role", ""))), LABELS)
    assert not selects_labels(NodeSelector(match_labels=(("zone", "a"), ("role", "x"))), LABELS)
    assert not selects_labels(NodeSelector(match_labels=(("rack", ""),)), LABELS)


LINKS = (
    Link(ifindex=5, name="eth1", driver="ice", pci_address="0000:01:00.1", mac=b"\0\0\0\0\0\5"),
    Link(ifindex=2, name="eth0", driver="ice", alt_names=("uplink",), mac=b"\0\0\0\0\0\2"),
    Link(
        ifindex=7,
        name="v.1",
        driver="veth",
        mac=b"\0\0\0\0\0\7",
        permanent_mac=b"\0\0\0\0\0\2",
    ),
)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (InterfaceTerm(names=("eth*",)), [2, 5]),
        (InterfaceTerm(names=("eth?",), exclude_names=("eth1",)), [2]),
        (InterfaceTerm(names=("up*",)), [2]),
        (InterfaceTerm(names=("*",), exclude_names=("uplink",)), [5, 7]),
        (InterfaceTerm(names=("v.*",)), [7]),
        (InterfaceTerm(names=("v?2",)), []),
        (InterfaceTerm(names=("eth",)), []),
        (InterfaceTerm(names=("eth[01]",)), []),
        (InterfaceTerm(drivers=("ice", "i40e")), [2, 5]),
        (InterfaceTerm(drivers=("ice",), pci_addresses=("0000:01:00.1",)), [5]),
        # The permanent address decides where there is one: a bond gives its own to all members.
        (InterfaceTerm(mac_addresses=(b"\0\0\0\0\0\2",)), [2, 7]),
        (InterfaceTerm(mac_addresses=(b"\0\0\0\0\0\7",)), []),
    ],
)
def test_terms(term: InterfaceTerm, expected: list[int]) -> None:
    assert [found.ifindex for found in links_of((term,), Host(links=LINKS))] == expected


def test_terms_are_ored_and_a_link_is_found_once() -> None:
    terms = (InterfaceTerm(names=("v.1",)), InterfaceTerm(names=("*",)))
    assert [found.ifindex for found in links_of(terms, Host(links=LINKS))] == [2, 5, 7]
