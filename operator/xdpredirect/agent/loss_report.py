"""The ledger's totals as the losses of a report. Pure; called by `agent.machine`."""

from collections.abc import Iterable
from typing import NamedTuple

from xdpredirect.agent.ledger import Ledger
from xdpredirect.agent.losses import UNLISTED
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.report import Finding, Loss, Severity

_NO_BTF = "/sys/kernel/btf"


class Losses(NamedTuple):
    """Most packets first. `ours` are of objects, `shared` of an interface of ours where several
    objects send to the target, `foreign` of other programs in this network namespace."""

    ours: tuple[Loss, ...]
    shared: tuple[Loss, ...]
    foreign: tuple[Loss, ...]


def losses_of(ledger: Ledger) -> Losses:
    """Every cause with at least one frame."""
    ours: list[Loss] = []
    shared: list[Loss] = []
    foreign: list[Loss] = []
    for cause, total in ledger.totals.items():
        loss = Loss(
            object=cause.object,
            rule=cause.rule,
            reason=cause.reason,
            errno=cause.errno,
            interface=cause.interface,
            target=cause.target,
            packets=total.packets,
            rate=total.rate,
            since=total.since,
            hint=total.hint,
        )
        (foreign if cause.foreign else ours if cause.object else shared).append(loss)
    return Losses(_sorted(ours), _sorted(shared), _sorted(foreign))


def _sorted(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    return tuple(sorted(losses, key=lambda x: (-x.packets, x.object, x.rule, x.reason, x.target)))


def unknown(objects: Iterable[str], seen: Observed, problem: str) -> list[Finding]:
    """Findings LossesUnknown, when programs of ours run and nobody counts what they lose."""
    if not any(item.attached_to for item in seen.interfaces.values()):
        return []
    if _NO_BTF in problem:
        fix = "boot a kernel that is built with CONFIG_DEBUG_INFO_BTF"
    elif problem:
        fix = "run the agent as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
    else:
        problem = "the drop monitor is not loaded"
        fix = "the agent's next pass loads it, or `xdpredirect apply`"
    message = f"Lost frames are not counted: {problem}. To mend it: {fix}."
    return [
        Finding(object=name, reason="LossesUnknown", message=message, severity=Severity.INFO)
        for name in objects
    ]


def incomplete(objects: Iterable[str], ledger: Ledger) -> list[Finding]:
    """Findings LossesIncomplete, while the drop monitor has no room for new causes."""
    unlisted = ledger.seen.get(UNLISTED, 0)
    if not unlisted:
        return []
    message = (
        f"{unlisted:,} lost frames are of causes that are not listed: the drop monitor's table of "
        "causes is full. To empty it between two passes (`xdpredirect apply -f FILE`), "
        "totals stay: remove the directory `monitor` below `--bpffs`."
    )
    return [
        Finding(object=name, reason="LossesIncomplete", message=message, severity=Severity.INFO)
        for name in objects
    ]
