"""What the API server wants of this node, on disk: it outlives the agent, and the node's reboot.

    node.json   the XdpRedirectNode that is followed, as it was sent
    node/       its XdpRedirects and the XdpAddressSets they use, as `agent.store` reads them

Called by `agent.node_source`. node.json is replaced at once and node/ is made from it, at every
start too, so a crash in between leaves no mixture of two specs.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import cast

from xdpredirect.agent.files import as_json, read_json, remove_file, write_atomically
from xdpredirect.agent.store import Document, Key, key_of, node_dir, path_of

_REDIRECT = "xdpredirect."


class NodeStore:
    """One per state directory; only the agent writes to it. Every method raises OSError."""

    def __init__(self, state_dir: Path) -> None:
        self._node = state_dir / "node.json"
        self._directory = node_dir(state_dir)

    def remember(self, document: Document) -> None:
        """`document` is the node object that is followed from now on."""
        if self.remembered() != document:
            self._node.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            write_atomically(self._node, as_json(document))

    def remembered(self) -> Document | None:
        """The node object that is followed; None when there never was one."""
        found = read_json(self._node)
        return cast(Document, found) if isinstance(found, dict) else None

    def replace(self, documents: Iterable[Document], keep: Collection[Key] = ()) -> bool:
        """Make `documents`, and what is there of the keys in `keep`, all that node/ holds.

        Generations and uids stay as given; only differing files are written. A set is there before
        the objects that use it and goes after them. Returns whether any file was changed.
        """
        ordered = sorted(documents, key=lambda item: (item["kind"] == "XdpRedirect", key_of(item)))
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        changed = False
        for document in ordered:
            path = path_of(self._directory, key_of(document))
            if read_json(path) != document:
                write_atomically(path, as_json(document))
                changed = True
        kept = {path_of(self._directory, key) for key in (*map(key_of, ordered), *keep)}
        gone = [path for path in self._directory.glob("*.json") if path not in kept]
        for path in sorted(gone, key=lambda path: (not path.name.startswith(_REDIRECT), path)):
            changed |= remove_file(path)
        return changed
