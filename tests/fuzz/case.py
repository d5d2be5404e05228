"""One random case: objects, address sets, the machine they meet and frames; a pure function of its
seed. Called by `valid`.

The machine has two devices, whose names are drawn so that some of the objects' targets exist:
the loopback device, on which every frame arrives, and one more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import cast

from tests.kernel.loaded import a_host
from tests.spec.generate import Frame, random_frame, random_object, random_sets
from tests.spec.generate_action import DEVICES
from tests.spec.generate_match import INTERFACES, Json
from tests.spec.matcher import Context
from tests.spec.packet import parse
from xdpredirect.agent.desired import desire
from xdpredirect.agent.effective import effective
from xdpredirect.agent.observed import Observed
from xdpredirect.api.load import load_text
from xdpredirect.api.redirect import (
    Frags,
    InterfaceTerm,
    NodeSelector,
    State,
    XdpAddressSet,
    XdpRedirect,
)
from xdpredirect.host import Cpu, Host, Link, XdpFeatures

RULES_OF_AN_INTERFACE = 128
FIRST_BUFFER = 3500  # what surely fits into one buffer of a test run
_MAC = bytes.fromhex("020000000001")
# Of the cases whose objects contradict each other, these stay as they are.
_CONTRADICTING = 0.05
_ALL_FEATURES = XdpFeatures(127)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Objects and frames of a case. `crowded` ones have many rules and contradict each other as
    they may; they are the cases of the first campaign. `fallback` runs the last variant of each
    program, which else only large programs see."""

    objects: int
    frames: int
    crowded: bool = False
    fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`arrival` and `other` are the two links of `host`. `documents` are what was read."""

    seed: str
    documents: tuple[Json, ...]
    redirects: tuple[XdpRedirect, ...]
    sets: Mapping[str, XdpAddressSet]
    host: Host
    arrival: Link
    other: Link
    frames: tuple[Frame, ...]
    fallback: bool

    @property
    def context(self) -> Context:
        """Where every frame arrives."""
        return Context(interface=self.arrival.name, alt_names=self.arrival.alt_names)


def objects_of(number: int) -> int:
    """How many objects the case of that number puts on its interface: 1, 2 and 3 in turn."""
    return 1 + number % 3


def make_case(seed: str, shape: Shape, other_ifindex: int) -> Case:
    """Raises InvalidInput when the loader refuses an object, which is a finding."""
    rng = Random(seed)
    documents = _documents(rng, shape)
    redirects = placed([_load_redirect(document) for document in documents])
    set_documents = random_sets(rng)
    sets = {s.name: s for d in set_documents for s in load_text(json.dumps(d), "set").address_sets}
    arrival, other = _links(rng, other_ifindex)
    shown = tuple(random_frame(rng, redirects, sets) for _ in range(shape.frames))
    if redirects[0].spec.frags is Frags.DISABLED:
        shown = tuple(replace(frame, data=frame.data[:FIRST_BUFFER]) for frame in shown)
    arrival = replace(arrival, addresses=_addresses(rng, shown))
    case = Case(
        seed=seed,
        documents=(*set_documents, *documents),
        redirects=redirects,
        sets=sets,
        host=_host(rng, arrival, other),
        arrival=arrival,
        other=other,
        frames=shown,
        fallback=shape.fallback,
    )
    if shape.crowded or rng.random() < _CONTRADICTING or not _contradict(case):
        return case
    for document in documents:
        _plain_broadcasts(document)
    return replace(case, redirects=placed([_load_redirect(document) for document in documents]))


def _contradict(case: Case) -> bool:
    """Whether a broadcast and another rule rewrite frames to one device differently."""
    chosen = effective(case.redirects, tuple(case.sets.values()), {}, {})
    nothing = Observed(interfaces={}, pass_programs={})
    return any(
        finding.reason == "RewriteConflict"
        for finding in desire(chosen, case.host, nothing, "").findings
    )


def _plain_broadcasts(document: Json) -> None:
    """Take the rewrites from the devices that the broadcasts of an object name."""
    spec = cast("dict[str, list[dict[str, dict[str, dict[str, list[Json]]]]]]", document["spec"])
    found = [rule["action"].get("broadcast", {}).get("devices", []) for rule in spec["rules"]]
    names = {member["name"] for members in found for member in members}
    for device in cast("list[Json]", spec.get("devices", [])):
        if device["name"] in names:
            device.pop("rewrite", None)


def _documents(rng: Random, shape: Shape) -> list[Json]:
    """Objects that fit on one interface together."""
    while True:
        documents = [random_object(rng, shape.crowded) for _ in range(shape.objects)]
        rules = sum(
            len(cast("dict[str, list[object]]", document["spec"])["rules"])
            for document in documents
        )
        if rules <= RULES_OF_AN_INTERFACE:
            return documents


def _load_redirect(document: Json) -> XdpRedirect:
    return load_text(json.dumps(document), "object").redirects[0]


def placed(redirects: Sequence[XdpRedirect]) -> tuple[XdpRedirect, ...]:
    """The objects on every interface of every node, active, and with one mode, so that they share
    an interface."""
    first = redirects[0].spec
    return tuple(
        replace(
            each,
            name=f"object-{number}",
            spec=replace(
                each.spec,
                node_selector=NodeSelector(),
                interfaces=(InterfaceTerm(names=("*",)),),
                state=State.ACTIVE,
                mode=first.mode,
                frags=first.frags,
            ),
        )
        for number, each in enumerate(redirects)
    )


def _links(rng: Random, other_ifindex: int) -> tuple[Link, Link]:
    names = rng.sample((*INTERFACES, "lo"), 2)
    alt_names = rng.sample(DEVICES, 3)
    cut = rng.randint(0, 2)
    arrival = Link(
        ifindex=1,
        name=names[0],
        alt_names=tuple(alt_names[:cut]),
        driver=rng.choice(("", "veth", "ice")),
        mac=_MAC,
        up=True,
        carrier=rng.random() < 0.9,
        features=_ALL_FEATURES,
        irq_cpus=tuple(cpu for cpu in (0, 1) if rng.random() < 0.5),
        numa_node=rng.choice((-1, 0, 1)),
    )
    other = Link(
        ifindex=other_ifindex,
        name=names[1],
        alt_names=tuple(alt_names[2:]),
        driver=rng.choice(("veth", "mlx5_core")),
        mac=_MAC,
        up=rng.random() < 0.8,
        carrier=rng.random() < 0.8,
        features=_ALL_FEATURES,
    )
    return arrival, other


def _addresses(rng: Random, frames: Sequence[Frame]) -> tuple[bytes, ...]:
    """Addresses of the machine: none, few or many, some of them in the frames."""
    networks = [parse(frame.data, frame.linear).network for frame in frames]
    asked = [network.destination for network in networks if network]
    found = rng.sample(asked, min(rng.choice((0, 2, 12)), len(asked)))
    found += [rng.randbytes(rng.choice((4, 16))) for _ in range(rng.choice((0, 1, 12)))]
    return tuple(sorted(set(found)))


def _host(rng: Random, arrival: Link, other: Link) -> Host:
    host = a_host((arrival, other))
    cpus = tuple(
        Cpu(
            id=cpu.id,
            siblings=cpu.siblings,
            isolated=rng.random() < 0.3,
            exclusive=rng.random() < 0.3,
        )
        for cpu in host.cpus
    )
    return replace(host, cpus=cpus)
