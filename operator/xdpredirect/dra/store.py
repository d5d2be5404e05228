"""What must outlive an agent: prepared claims, and the documents that the runtime reads of them.

    claims.json                       in the state directory: every prepared claim
    xdpredirect.io-claim-<uid>.json   in the CDI directory: one for each

Made by `agent.claims`. kubelet tells a driver only once that a claim is to be prepared, so the next
agent has to find it here. Every method raises OSError.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from xdpredirect.agent.files import as_json, read_json, remove_file, write_atomically
from xdpredirect.dra import cdi
from xdpredirect.dra.claims import Claim, Queue


class ClaimStore:
    """`memory` is claims.json, `directory` that of the broker on the host."""

    def __init__(self, memory: Path, cdi_dir: Path, directory: Path) -> None:
        self._memory, self._cdi, self._directory = memory, cdi_dir, directory
        self._claims = _read(read_json(memory))

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All that are prepared."""
        return tuple(self._claims.values())

    def keep(self, claim: Claim) -> None:
        """The claim is prepared: a container may be started with its devices on return."""
        self._remember({**self._claims, claim.uid: claim})
        self._cdi.mkdir(parents=True, exist_ok=True, mode=0o755)
        document = as_json(cdi.document(claim, self._directory))
        write_atomically(self._cdi / cdi.file_name(claim.uid), document, 0o644)

    def drop(self, uid: str) -> None:
        """It is no more. Nothing happens when it never was."""
        if uid in self._claims:
            remove_file(self._cdi / cdi.file_name(uid))
            self._remember({key: claim for key, claim in self._claims.items() if key != uid})

    def _remember(self, claims: Mapping[str, Claim]) -> None:
        if claims == self._claims:
            return
        self._memory.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        write_atomically(self._memory, as_json({uid: _written(c) for uid, c in claims.items()}))
        self._claims = dict(claims)


def _written(claim: Claim) -> Mapping[str, object]:
    return {
        "namespace": claim.namespace,
        "name": claim.name,
        "pods": sorted(claim.pods),
        "queues": [
            {"device": q.device, "interface": q.interface, "queue": q.queue, "requests": q.requests}
            for q in claim.queues
        ],
    }


def _read(document: object) -> dict[str, Claim]:
    """What `_written` wrote; nothing where that cannot be read: then these queues are for every
    pod that has a grant, until kubelet has the claims prepared again."""
    try:
        claims = cast("dict[str, dict[str, list[dict[str, object]]]]", document or {})
        return {
            uid: Claim(
                namespace=str(item["namespace"]),
                name=str(item["name"]),
                uid=uid,
                pods=frozenset(map(str, item["pods"])),
                queues=tuple(_queue(queue) for queue in item["queues"]),
            )
            for uid, item in claims.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _queue(item: Mapping[str, object]) -> Queue:
    return Queue(
        device=str(item["device"]),
        interface=str(item["interface"]),
        queue=int(cast(int, item["queue"])),
        requests=tuple(map(str, cast("list[object]", item["requests"]))),
    )
