"""Which pods may take sockets, as the operator says it, on disk.

    node-pods.json   by XdpRedirect: its `pods` and `podsLeftOut` of the XdpRedirectNode

Beside node/, and not in it: pods come and go while the objects stay the same, and no program or map
depends on them. `agent.node_source` writes it, `agent.store` reads it; both as often as they look
at what is wanted.
"""

from pathlib import Path

from xdpredirect.agent.files import as_json, read_json, write_atomically
from xdpredirect.agent.socket_pods import Pods
from xdpredirect.api.fields import Fields
from xdpredirect.api.node_pods import decode_pods, encode_pods
from xdpredirect.errors import InvalidInput

FILE = Path("node-pods.json")
_FIELDS = ("pods", "podsLeftOut")


def write_pods(state_dir: Path, pods: Pods) -> None:
    """Make these the pods of the node. Raises OSError."""
    document: dict[str, object] = {name: encode_pods(pods[name]) for name in sorted(pods)}
    path = state_dir / FILE
    if read_json(path) != document:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        write_atomically(path, as_json(document))


def read_pods(state_dir: Path) -> Pods:
    """What `write_pods` wrote last. Nobody, where that cannot be read: an agent that starts writes
    it anew. Raises OSError."""
    found = read_json(state_dir / FILE)
    if not isinstance(found, dict):
        return {}
    try:
        read = {name: decode_pods(Fields(item, name, _FIELDS)) for name, item in found.items()}
    except InvalidInput:
        return {}
    return {name: pods for name, pods in read.items() if pods is not None}
