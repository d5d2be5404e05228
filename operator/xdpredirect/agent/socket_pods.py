"""What people should know about the pods that rules hand sockets to. Pure; called by
`agent.machine`."""

from collections.abc import Iterable, Iterator, Mapping

from xdpredirect.agent.report import Finding
from xdpredirect.api.action import Sockets
from xdpredirect.api.node_pods import NodePod, NodePods
from xdpredirect.api.redirect import Rule, XdpRedirect

Pods = Mapping[str, NodePods]
"""By XdpRedirect."""


def pod_findings(redirects: Iterable[XdpRedirect], pods: Pods | None) -> tuple[Finding, ...]:
    """About rules that hand sockets to pods; `pods` is None on a machine that is in no cluster."""
    return tuple(
        finding
        for redirect in redirects
        for rule in redirect.spec.rules
        if isinstance(rule.action, Sockets) and rule.action.pods
        for finding in _findings(redirect, rule, pods)
    )


def _findings(redirect: XdpRedirect, rule: Rule, pods: Pods | None) -> Iterator[Finding]:
    def found(reason: str, words: str) -> Finding:
        message = f"rule {rule.name} {words}"
        return Finding(object=redirect.name, reason=reason, message=message, rule=rule.name)

    if pods is None:
        words = "hands sockets to pods, and this agent follows no cluster"
        yield found("NoCluster", f"{words}; write clients of type Users")
        return
    told = pods.get(redirect.name, NodePods())
    refused = [pod for pod in told.listed if pod.rule == rule.name and pod.refused]
    if refused:
        words = (
            f"selects {_some(refused)} in the network of the host, where a pod gets no socket; "
            "run it without hostNetwork, or do not select it"
        )
        yield found("HostNetwork", words)
    if told.left_out:
        words = (
            f"may select more pods of this node than fit: {told.left_out} of the object get no "
            "socket; select fewer"
        )
        yield found("TooManyPods", words)


def _some(pods: list[NodePod]) -> str:
    first = f"pod {pods[0].namespace}/{pods[0].name}"
    return first if len(pods) == 1 else f"{first} and {len(pods) - 1} more"
