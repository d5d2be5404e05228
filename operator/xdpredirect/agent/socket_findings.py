"""What people should know about AF_XDP sockets of a machine. Pure; called by `agent.machine`."""

from collections.abc import Iterable

from xdpredirect.agent.desired import Desired
from xdpredirect.agent.report import Finding
from xdpredirect.agent.socket_pods import Pods, pod_findings
from xdpredirect.agent.socket_report import not_handed_out
from xdpredirect.agent.socket_whole import whole_map_findings
from xdpredirect.api.redirect import XdpRedirect


def socket_findings(
    redirects: Iterable[XdpRedirect], pods: Pods | None, desired: Desired, problem: str
) -> list[Finding]:
    """`problem` is why nobody can take a socket, `pods` as for `pod_findings`."""
    return [
        *pod_findings(redirects, pods),
        *not_handed_out(desired, problem),
        *whole_map_findings(desired),
    ]
