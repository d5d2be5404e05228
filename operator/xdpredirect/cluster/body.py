"""The body of a request. Pure; called by `cluster.transport`.

Server-side apply reads its body as YAML, whatever it looks like. YAML knows no surrogate pairs,
folds some line separators into spaces, and refuses other characters unless they are escaped. A
message may hold any of them: it quotes names of interfaces, which are whatever somebody chose.
"""

import json
import re

from xdpredirect.cluster.resource import Document

# DEL and C1 controls, NEL among them; line and paragraph separator; BOM; non-characters.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def encoded(document: Document) -> bytes:
    """JSON that is the same value as YAML, in UTF-8. Half of a surrogate pair becomes `?`."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    escaped = _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return escaped.encode("utf-8", "replace")
