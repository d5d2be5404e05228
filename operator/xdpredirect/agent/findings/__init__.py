"""What will lose frames, or cannot work, about the redirects of this machine, and how to mend it.

Called by the agent on every pass and by `doctor`. Pure: `Usage` in, `Finding` out.
"""

from collections.abc import Sequence

from xdpredirect.agent.findings.cpus import check_channels, check_cpus, check_generic
from xdpredirect.agent.findings.ingress import check_ingress
from xdpredirect.agent.findings.offloads import check_offloads
from xdpredirect.agent.findings.targets import check_targets
from xdpredirect.agent.findings.usage import Target, Usage, peer_of
from xdpredirect.agent.report import Finding
from xdpredirect.host import Host

__all__ = ["Target", "Usage", "findings", "peer_of"]


def findings(usages: Sequence[Usage], host: Host) -> tuple[Finding, ...]:
    """Every finding about `usages`, without repetition, sorted by object, interface, rule, reason
    and message. `host` is the observation that the links of `usages` come from."""
    checks = (
        *(check_ingress, check_offloads, check_targets),
        *(check_cpus, check_channels, check_generic),
    )
    # Of a device that is away nobody knows how it is set.
    here = [usage for usage in usages if not usage.interface.away]
    found = {finding for usage in here for check in checks for finding in check(usage, host)}
    return tuple(sorted(found, key=lambda f: (f.object, f.interface, f.rule, f.reason, f.message)))
