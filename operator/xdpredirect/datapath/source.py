"""One C text out of the files in bpf/ and the rendered headers. Called by `agent.act`.

bcc gets a single text, so that its process needs no access to our files.
"""

import hashlib
import re
from collections.abc import Mapping

_INCLUDE = re.compile(r'^#include "([a-z0-9_]+\.[ch])"$', re.MULTILINE)


def flatten(main: str, files: Mapping[str, str]) -> str:
    """Text of `main` with every #include "..." replaced by that file, each at its first mention.

    `files` maps names to texts; system headers (#include <...>) stay for the compiler.
    """
    seen: set[str] = set()

    def insert(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in seen:
            return ""
        seen.add(name)
        return _INCLUDE.sub(insert, files[name])

    return _INCLUDE.sub(insert, files[main])


def sources_digest(files: Mapping[str, str]) -> str:
    """Content address of the C files: a new version of them is a new generation."""
    text = "".join(f"{name}\0{files[name]}\0" for name in sorted(files))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
