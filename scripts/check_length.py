"""Files of at most 250 lines, functions of at most 50: more is two things in one place.

Called by `make lint` with the directories to look at; exits 1 with one line per offender.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 250
FUNCTION_LINES = 50


def offences(path: Path) -> Iterator[str]:
    """One sentence for the file and one for each function that is too long."""
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, more than {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                where = f"{path}:{node.lineno}: {node.name}"
                yield f"{where} has {length} lines, more than {FUNCTION_LINES}"


def main(directories: list[str]) -> int:
    """Exit code for the files under `directories`."""
    found = [
        line
        for directory in directories
        for path in sorted(Path(directory).rglob("*.py"))
        for line in offences(path)
    ]
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
