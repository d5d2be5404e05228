"""Everything the operator can do to the cluster, as data. `plan` writes these, `act` carries them
out, the log prints them. Each sentence names what changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdpredirect.controller.observed import Document, Node, NodeObject
from xdpredirect.controller.render import Rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFinalizer:
    """Hold the object until its nodes have let go of it."""

    redirect: str
    resource_version: str
    finalizers: tuple[str, ...]
    """All of them, ours among them."""

    def __str__(self) -> str:
        return f"{self.redirect}: add the finalizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFinalizer:
    """Let the object go. `finalizers` are those that others hold it with."""

    redirect: str
    resource_version: str
    finalizers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.redirect}: remove the finalizer, no node runs it any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyNodeObject:
    """Tell a node what it is to do; an empty rendering makes it detach everything. `there` is its
    object as it was seen last, `revision` the one that this write makes."""

    node: Node
    rendered: Rendered
    there: NodeObject | None
    revision: int

    def __str__(self) -> str:
        names = ", ".join(f"{e.name}@{e.generation}" for e in self.rendered.entries)
        return f"node {self.node.name}: revision {self.revision}: {names or 'nothing'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNode:
    """Let the agents' DaemonSet have a pod on a node, or no longer."""

    node: Node
    wanted: bool

    def __str__(self) -> str:
        return f"node {self.node.name}: {'an agent' if self.wanted else 'no agent'} is wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDaemonSet:
    """Bring the agents' DaemonSet to what the operator's file says."""

    document: Document = field(hash=False)

    def __str__(self) -> str:
        return "agents: apply the DaemonSet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStatus:
    """Say how an object stands, as it was seen at `resource_version`. `urgent`: a condition or the
    generation changed; other changes are counters and may wait."""

    redirect: str
    uid: str
    resource_version: str
    status: Mapping[str, object] = field(hash=False)
    urgent: bool

    def __str__(self) -> str:
        return f"{self.redirect}: status"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostEvent:
    """Tell who describes the object what became of it."""

    redirect: str
    uid: str
    warning: bool
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.redirect}: {self.reason}: {self.message}"


Action = (
    AddFinalizer
    | RemoveFinalizer
    | ApplyNodeObject
    | LabelNode
    | ApplyDaemonSet
    | ApplyStatus
    | PostEvent
)
