"""What of the product is left in a cluster, and what to do about it next. Pure.

Called by `uninstall`. The order is what matters: first the redirects, while there are agents to
detach them and an operator to say when they have; then the operator, which would make the agents
anew; then the agents and the rest. So whatever ends this early, no frame is redirected that nobody
can stop any more, and the next run goes on from there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xdpredirect.conditions import shorten

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """`redirects`: by name what each waits for, empty while nobody has deleted it. `replicas` is
    how many operators the Deployment is to have, 0 where there is none; `leads` whether this
    process holds the lease, `holder` who else does. The rest is looked at only when no redirect is
    left and this process leads: `agents` whether their DaemonSet is there, `labelled` Nodes that
    ask for one, `told` node objects by name with whether the node has let go of everything.
    """

    redirects: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 0
    leads: bool = False
    holder: str = ""
    agents: bool = False
    labelled: tuple[str, ...] = ()
    told: Mapping[str, bool] = field(default_factory=dict)

    @property
    def attached(self) -> bool:
        """Whether somebody has to act as the operator."""
        return bool(self.redirects)

    @property
    def silent(self) -> tuple[str, ...]:
        """Nodes that never said that they let go."""
        return tuple(sorted(name for name, let_go in self.told.items() if not let_go))

    @property
    def nothing(self) -> bool:
        """Whether all is gone but the lease."""
        return self.leads and not (
            self.redirects or self.replicas or self.agents or self.labelled or self.told
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRedirect:
    """Ask for its deletion, which its nodes hold up until they have let go."""

    name: str

    def __str__(self) -> str:
        return f"xdpredirect/{self.name}: delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOperators:
    """Let no operator run any more."""

    def __str__(self) -> str:
        return "operator: scale its Deployment to 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAgents:
    """Delete the agents' DaemonSet, and with it their pods."""

    def __str__(self) -> str:
        return "agents: delete their DaemonSet"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelNode:
    """Take away the label that asks for an agent."""

    name: str

    def __str__(self) -> str:
        return f"node {self.name}: take the label away"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNodeObject:
    """Delete what the node was told."""

    name: str

    def __str__(self) -> str:
        return f"xdpredirectnode/{self.name}: delete"


Step = DeleteRedirect | StopOperators | DeleteAgents | UnlabelNode | DeleteNodeObject


def steps(remains: Remains) -> tuple[Step, ...]:
    """What can be done now. Nothing where all that is left is to wait, or nothing is left."""
    if remains.redirects:
        return tuple(DeleteRedirect(name=n) for n, words in remains.redirects.items() if not words)
    if remains.replicas:
        return (StopOperators(),)
    if not remains.leads:
        return ()
    return tuple(_rest(remains))


def _rest(remains: Remains) -> Iterator[Step]:
    if remains.agents:
        yield DeleteAgents()
    for name in remains.labelled:
        yield UnlabelNode(name=name)
    for name in sorted(remains.told):
        yield DeleteNodeObject(name=name)


def waiting(remains: Remains) -> str:
    """What is waited for, in one sentence for who looks on."""
    if remains.redirects:
        said = [
            f"{name}: {words or 'not deleted yet'}" for name, words in remains.redirects.items()
        ]
        more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        return shorten("; ".join(said[:_NAMED])) + more
    if remains.replicas or not remains.leads:
        who = (
            f"{remains.holder} holds the lease" if remains.holder else "nobody holds the lease yet"
        )
        return f"the operator has to end first; {who}"
    return "the agents, their labels and node objects are being removed"


def advice(remains: Remains) -> str:
    """What helps where `waiting` has lasted too long."""
    if remains.redirects:
        return (
            "nothing else was removed, and operator and agents go on. Mend what these nodes say "
            "(kubectl get xdprn -o wide), then run this again"
        )
    if remains.replicas or not remains.leads:
        return "end that operator, then run this again; no redirect is left"
    return "run this again; no redirect is left"
