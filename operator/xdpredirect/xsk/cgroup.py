"""Which pod a process belongs to, from its /proc/PID/cgroup: pure. Called by `identity`.

The kubelet makes `kubepods` in one of two forms, both read here:

    systemd   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-ID.scope
    cgroupfs  /kubepods/burstable/podUID/ID

Anyone may own a part of the tree: a user's session below user.slice, a pod below its own cgroup.
There they may make any directory, so only what root alone can make counts: the way to the pod
consists of the kubelet's own names from the root on, and the outermost pod is the one. A kubelet
may begin elsewhere (its cgroupRoot); an agent in one of its pods knows where from its own way.
"""

import re
from collections.abc import Mapping

# Seen from another cgroup namespace, the way begins with as many `..` as lead out of it.
_ABOVE = re.compile(
    r"\.\.|kubelet|kubelet\.slice|(kubelet-)?kubepods(-burstable|-besteffort)?\.slice"
    r"|kubepods|burstable|besteffort"
)
_UID = r"[0-9a-f]{8}([-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12}"
_POD = re.compile(rf"(?:(?:kubelet-)?kubepods(?:-burstable|-besteffort)?-)?pod({_UID})(?:\.slice)?")


class ManyPods(ValueError):
    """The hierarchies of cgroup v1 disagree on the pod, or it is where no kubelet makes one."""


def pod_of(text: str, roots: Mapping[str, str] | None = None) -> str:
    """UID of the pod, empty when it is a process of the host. `text` is the whole file, a line
    `hierarchy:controllers:path` for each hierarchy; `roots` are those of `kubelet_roots`. Raises
    ManyPods."""
    found = set()
    for line in text.splitlines():
        hierarchy, _, path = line.partition(":")
        root = (roots or {}).get(hierarchy, "")
        path = path.partition(":")[2]
        if path.startswith(f"{root}/"):
            found.add(_pod_in(path.removeprefix(root)))
    found.discard("")
    if len(found) > 1:
        raise ManyPods(f"its cgroups are of several pods: {', '.join(sorted(found))}")
    return found.pop() if found else _none_in(text)


def _none_in(text: str) -> str:
    """Empty. What resembles a pod, and is none that we know, is no process of the host either: it
    would have the rights of whoever has its number there."""
    for name in text.replace("\n", "/").split("/"):
        if _POD.fullmatch(name) or "kubepods" in name:
            raise ManyPods(f"its cgroup {name} is like a pod's, but not where a kubelet makes it")
    return ""


def kubelet_roots(own: str) -> Mapping[str, str]:
    """Where the kubelet begins in each hierarchy, by its number, as far as that is not the root.
    `own` is the file of the process that asks; nothing follows from it outside of a pod."""
    found: dict[str, str] = {}
    for line in own.splitlines():
        hierarchy, _, path = line.partition(":")
        names = path.partition(":")[2].strip("/").split("/")
        ways = ("/".join(names[above:]) for above in range(len(names)))
        above = next((above for above, way in enumerate(ways) if _pod_in(way)), 0)
        if above:
            found[hierarchy] = "".join(f"/{name}" for name in names[:above])
    return found


def _pod_in(path: str) -> str:
    for name in path.strip("/").split("/"):
        if match := _POD.fullmatch(name):
            # systemd takes a dash for a level, so the kubelet writes underscores.
            return match[1].replace("_", "-")
        if not _ABOVE.fullmatch(name):
            return ""
    return ""
