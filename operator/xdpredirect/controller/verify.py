"""Whether an installation is as it should be, by what the API server says. Changes nothing.

Called by the command `verify`, which `helm test` runs in a pod. What an answer means is decided by
the functions below `verify`, which are pure.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import yaml

from xdpredirect import __version__
from xdpredirect.api.decode import API_VERSION
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.resource import (
    CRDS,
    DAEMONSETS,
    LEASES,
    REDIRECTS,
    Document,
)
from xdpredirect.controller.agents import NAME as AGENTS
from xdpredirect.controller.lease import DURATION, LEASE
from xdpredirect.controller.plain import Value, child, children, number, text
from xdpredirect.data import data_dir
from xdpredirect.errors import ApiError

GROUP = "xdpredirect.io"
LOOK_SECONDS = 1.0
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: `problem` says what is wrong and what mends it, empty where
    nothing is; then `found` says what is there."""

    name: str
    problem: str = ""
    found: str = ""


def verify(api: Api, namespace: str, seconds: float) -> Iterator[Check]:
    """All checks, one after another; a request that fails is a problem of its check. So many
    `seconds` agents get to be ready."""
    for path in sorted(data_dir("crds").glob("*.yaml")):
        yield _asked(path.stem, partial(_kind, api, path))
    yield _asked("operator", lambda: _operator(api, namespace))
    yield _asked("a right object", lambda: judge_right(_answer(api, sample(priority=500))))
    yield _asked("a wrong object", lambda: judge_wrong(_answer(api, sample(priority=1001))))
    yield _asked("agents", lambda: _agents(api, namespace, seconds))


def _asked(name: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except ApiError as error:
        return Check(name=name, problem=str(error))


def _kind(api: Api, path: Path) -> Check:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    wanted = yaml.load(path.read_bytes(), loader)
    return judge_kind(path.stem, api.get(CRDS, f"{path.stem}.{GROUP}"), wanted)


def _operator(api: Api, namespace: str) -> Check:
    """A lease that changes within its own duration: a holder that died does not renew it."""
    leases = LEASES.within(namespace)
    first = api.get(leases, LEASE)
    now, until = first, time.monotonic() + DURATION
    while now == first and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        now = api.get(leases, LEASE)
    return judge_lease(first, now)


def _agents(api: Api, namespace: str, seconds: float) -> Check:
    """An agent that has just started is ready when kubelet looks the next time."""
    agents, until = DAEMONSETS.within(namespace), time.monotonic() + seconds
    while (found := judge_agents(api.get(agents, AGENTS))).problem and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    return found


def _answer(api: Api, document: Document) -> ApiError | None:
    try:
        api.create(REDIRECTS, document, dry_run=True)
    except ApiError as error:
        return error
    return None


def sample(priority: int) -> Document:
    """An XdpRedirect for no node, to be tried and never stored."""
    rule = {"name": "all", "match": {"all": True}, "action": {"type": "Pass"}}
    return {
        "apiVersion": API_VERSION,
        "kind": REDIRECTS.kind,
        "metadata": {"name": "xdp-redirect-verify"},
        "spec": {
            "nodeSelector": {"matchLabels": {"xdpredirect.io/verify": "never"}},
            "interfaces": [{"names": ["verify"]}],
            "priority": priority,
            "rules": [rule],
        },
    }


def judge_kind(plural: str, found: Value | None, wanted: Value) -> Check:
    """A CRD as the API server has it against that of this version."""
    mend = "run `kubectl apply --server-side -f crds/`, or upgrade the release with crds.enabled"
    if found is None:
        return Check(name=plural, problem=f"the CRD is missing; {mend}")
    conditions = {
        text(item, "type"): text(item, "status")
        for item in children(child(found, "status"), "conditions")
    }
    if conditions.get("Established") != "True":
        return Check(
            name=plural, problem="the CRD is not established; kubectl describe crd tells why"
        )
    if _schemas(found) != _schemas(wanted):
        return Check(name=plural, problem=f"the CRD is not that of {__version__}; {mend}")
    return Check(name=plural, found=f"served, of version {__version__}")


def _schemas(crd: Value) -> Mapping[str, object]:
    versions = children(child(crd, "spec"), "versions")
    return {text(version, "name"): version.get("schema") for version in versions}


def judge_lease(first: Value | None, later: Value | None) -> Check:
    """The lease twice, up to its duration apart."""
    name = "operator"
    mend = "look at the pods of the operator and their logs"
    if later is None:
        return Check(name=name, problem=f"no lease: none has run yet; {mend}")
    holder = text(child(later, "spec"), "holderIdentity")
    if not holder or first == later:
        return Check(name=name, problem=f"nobody leads; {mend}")
    return Check(name=name, found=f"{holder} leads")


def judge_right(error: ApiError | None) -> Check:
    """The answer to an object that has to be accepted."""
    name = "a right object"
    if error is None:
        return Check(name=name, found="would be accepted")
    return Check(name=name, problem=f"is refused: {error}")


def judge_wrong(error: ApiError | None) -> Check:
    """The answer to an object that has to be refused."""
    name = "a wrong object"
    if error is None:
        return Check(name=name, problem="would be accepted; the CRD xdpredirects lacks its schema")
    if error.status != _UNPROCESSABLE:
        return Check(name=name, problem=f"cannot be tried: {error}")
    return Check(name=name, found="is refused")


def judge_agents(daemon_set: Document | None) -> Check:
    """The agents' DaemonSet as it is there."""
    name = "agents"
    if daemon_set is None:
        problem = "their DaemonSet is missing; the operator makes it, and its log says why not"
        return Check(name=name, problem=problem)
    status = child(cast("Value", daemon_set), "status")
    wanted = number(status, "desiredNumberScheduled")
    ready = number(status, "numberReady")
    if ready < wanted:
        problem = f"{ready} of {wanted} are ready; kubectl get pods tells which are not"
        return Check(name=name, problem=problem)
    return Check(name=name, found=f"{ready} of {wanted} are ready")
