"""What the operator knows of the cluster, as values. Pure; made by `read_redirect`, `read_node` and
`read_node_object`, kept by `fleet`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdpredirect.api.clients import PodClients
from xdpredirect.api.node_pods import NodePods
from xdpredirect.api.redirect import NodeSelector

Document = dict[str, object]
FINALIZER = "xdpredirect.io/cleanup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One XdpRedirect in the spec of a node object. `digest` is that of its spec."""

    name: str
    uid: str
    generation: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One XdpRedirect. `spec` goes into node objects as it is, `size` is what it takes there in
    octets; `features` and `address_sets` are sorted; `pods` are the clients of that type and the
    rule of each. `problems` says what of the object this
    version cannot read; then the rest of the spec means nothing. `status` is the one of the
    cluster, the base of the next one.
    """

    name: str
    uid: str
    generation: int
    resource_version: str = ""
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    selector: NodeSelector = field(default_factory=NodeSelector)
    priority: int = 500
    state: str = "Active"
    spec: Document = field(default_factory=dict)
    digest: str = ""
    size: int = 0
    features: tuple[str, ...] = ()
    address_sets: tuple[str, ...] = ()
    pods: tuple[tuple[str, PodClients], ...] = ()
    problems: tuple[str, ...] = ()
    status: Mapping[str, object] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether it stays, when somebody deletes it, until its nodes have let go of it."""
        return FINALIZER in self.finalizers

    @property
    def demand(self) -> tuple[Entry, bool, bool]:
        """What the nodes are looked at again for, when it changes."""
        return self.entry, self.deleting, self.held

    @property
    def entry(self) -> Entry:
        """As it stands in a node object."""
        return Entry(name=self.name, uid=self.uid, generation=self.generation, digest=self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One Node. `deleting`: somebody has deleted it and something holds it; `unreachable`: the
    cluster says that it does not answer. Two of other versions are equal: a heartbeat is no change.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    deleting: bool = False
    unreachable: bool = False
    resource_version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One Pod that runs on `node`, or is about to; `host_network`: in the network of the host."""

    namespace: str
    name: str
    uid: str
    node: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Frames lost on one node, of one cause."""

    reason: str
    errno: str
    rule: str
    packets: int
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an agent says about one XdpRedirect. `generation` is the one that `state` is about;
    `risk` and `risk_message` are empty when no frames are at risk."""

    uid: str
    generation: int
    state: str
    reason: str
    message: str
    risk: str = ""
    risk_message: str = ""
    native: int = 0
    generic: int = 0
    conflicted: int = 0
    redirected: int = 0
    passed: int = 0
    dropped: int = 0
    lost: int = 0
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an agent acts on nothing of its spec, such as AgentTooOld."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeObject:
    """One XdpRedirectNode. `owner` is the uid of the Node that it belongs to. `reported` is another
    text after each change of the status. `refusal` is about the spec as it is now. `since` has, by
    uid, the revision from which on the spec carries each entry as it is, as far as is known;
    `earlier` has the names that revisions carried since the agent last answered, likewise.
    `pods` are by name of the entry.
    """

    name: str
    uid: str
    generation: int
    resource_version: str = ""
    owner: str = ""
    revision: int = 0
    entries: tuple[Entry, ...] = ()
    since: Mapping[str, int] = field(default_factory=dict)
    earlier: frozenset[str] = frozenset()
    features: tuple[str, ...] = ()
    address_sets: tuple[str, ...] = ()
    pods: Mapping[str, NodePods] = field(default_factory=dict)
    reported: str = ""
    observed_revision: int = 0
    reports: Mapping[str, Report] = field(default_factory=dict)
    refusal: Refusal | None = None

    @property
    def answered(self) -> bool:
        """Whether the agent acted on the spec as it is now."""
        return self.observed_revision >= self.revision

    @property
    def mentions(self) -> frozenset[str]:
        """Names of what the node is told about or reports, or was told and has not answered."""
        return self.earlier.union((entry.name for entry in self.entries), self.reports)

    def may_run(self, redirect: Redirect) -> bool:
        """Whether the node is told or reports so, or has not said what it did with a spec that may
        have held it."""
        told = any(entry.uid == redirect.uid for entry in self.entries)
        report = self.reports.get(redirect.name)
        reported = report is not None and report.uid == redirect.uid
        return told or reported or not self.answered

    @property
    def leftovers(self) -> frozenset[str]:
        """Names of what the agent still reports and the spec no longer has."""
        wanted = {entry.uid for entry in self.entries}
        return frozenset(n for n, report in self.reports.items() if report.uid not in wanted)

    @property
    def demand(self) -> tuple[str, int, str, bool]:
        """What the node is looked at again for, when it changes: only a spec that changed can be
        another one than it should be."""
        return self.uid, self.generation, self.owner, self.let_go

    @property
    def let_go(self) -> bool:
        """Whether nothing is to run here and the agent says that nothing does."""
        return not self.entries and not self.reports and self.answered


def older(new: Redirect | Node | NodeObject, old: Redirect | Node | NodeObject) -> bool:
    """Whether `new` is a late echo: versions of one object are numbers that count up."""
    if new.uid != old.uid or not (
        new.resource_version.isdigit() and old.resource_version.isdigit()
    ):
        return False
    return int(new.resource_version) < int(old.resource_version)
