"""Fenced blocks of the documentation, and what the text says about how to try them.

Called by both test_docs. A comment before a block directs it:
    <!-- file: edge.yaml -->       the block is that file, for the commands after it
    <!-- exit: 2 -->               its last command ends with that code
    <!-- not run: REASON -->       cannot be run by a test
    <!-- where: cluster -->        its commands are for a cluster, or for the node of that name
    <!-- first: WHAT -->           what happens before it, as a key of tests/cluster/page.py
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Checked where they are made: the first by tests/unit/cli/test_docs.py, the second by tests/bench.
ELSEWHERE = ("cli.md", "performance.md")
BLOCK = re.compile(r"((?:<!-- [^\n]* -->\n)*)```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIRECTION = re.compile(r"<!-- (file|exit|where|first|not run): (.*?) -->")
# Numbers, sizes, ids, times and the lines of tables differ between two runs.
VARIES = re.compile(r"[0-9a-f]{12}|\d[\d,.]*(?: ?[kMG]?B\b)?|─+")
ANYTHING = "..."


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is where it begins, from 1."""

    document: str
    line: int
    language: str
    text: str
    file: str = ""
    exit: int = 0
    where: str = ""
    first: str = ""
    not_run: str = ""

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.document}:{self.line}"

    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command with the lines that the text shows as its output."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found


def documents() -> list[Path]:
    """README, CONTRIBUTING and everything below docs/, sorted."""
    docs = (path for path in (ROOT / "docs").rglob("*.md") if path.name not in ELSEWHERE)
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs)]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of one document, in order."""
    text = path.read_text()
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        given = dict(DIRECTION.findall(match[1]))
        block = Block(
            document=str(path.relative_to(ROOT)),
            line=text.count("\n", 0, match.start(2)) + 1,
            language=match[2],
            text=match[3],
            file=given.get("file", ""),
            exit=int(given.get("exit", "0")),
            where=given.get("where", ""),
            first=given.get("first", ""),
            not_run=given.get("not run", ""),
        )
        found.append(block)
    return found


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    return " ".join(VARIES.sub("#", line).split())
