"""Brings the chart to what the rest of the repository says; run as `python scripts/chart.py`.

Copies the CRDs, roles and admission policies into charts/xdp-redirect/files, since a packaged chart
holds nothing from outside, and writes the table of values in its README out of the comments of
values.yaml. tests/chart says when that is due.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "charts/xdp-redirect"
COPIED = {
    "crds": ROOT / "crds",
    "rbac": ROOT / "config/rbac",
    "admission": ROOT / "config/admission",
    "claims": ROOT / "config/claims",
}
NO_OBJECTS = "kustomization.yaml"
README = CHART / "README.md"
BEGIN, END = "<!-- values: made by scripts/chart.py -->", "<!-- end of values -->"


def files() -> dict[Path, str]:
    """What every file that this script makes has to hold."""
    made = {
        CHART / "files" / folder / source.name: source.read_text()
        for folder, place in COPIED.items()
        for source in sorted(place.glob("*.yaml"))
        if source.name != NO_OBJECTS
    }
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return {**made, README: f"{before}{BEGIN}\n{table()}{END}{after}"}


def stale() -> list[Path]:
    """Files that are not as they have to be, and copies of what is no longer there."""
    wanted = files()
    copies = {path for path in (CHART / "files").rglob("*") if path.is_file()}
    differing = {
        path for path, text in wanted.items() if not path.exists() or path.read_text() != text
    }
    return sorted(differing | (copies - wanted.keys()))


def table() -> str:
    """The values as a table in Markdown: name, default, what it is."""
    rows = ["| value | default | |", "|---|---|---|"]
    rows += [f"| `{name}` | `{default}` | {words} |" for name, default, words in values()]
    return "\n".join(rows) + "\n"


def values() -> Iterator[tuple[str, str, str]]:
    """(name, default as JSON, comment) of each value that can be given by itself. LookupError for
    one without a comment."""
    text = (CHART / "values.yaml").read_text()
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    schema = json.loads((CHART / "values.schema.json").read_text())
    for name, node, line in leaves(root, schema, schema["$defs"]):
        words = comment_above(text.splitlines(), line)
        if not words:
            raise LookupError(f"values.yaml:{line + 1}: {name} has no comment above it")
        default = yaml.safe_load(yaml.serialize(node))
        yield name, json.dumps(default, ensure_ascii=False), words


def leaves(
    node: yaml.MappingNode, schema: Mapping[str, Any], named: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, yaml.Node, int]]:
    """(dotted name, value, line from 0) of all that the schema knows no more fields of."""
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        below = schema["properties"][key.value]
        below = named[below["$ref"].rpartition("/")[2]] if "$ref" in below else below
        if isinstance(value, yaml.MappingNode) and value.value and "properties" in below:
            yield from leaves(value, below, named, f"{name}.")
        else:
            yield name, value, key.start_mark.line


def comment_above(lines: list[str], line: int) -> str:
    """The comment that ends right above a line, as one line."""
    words: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("# "):
        line -= 1
        words.insert(0, lines[line].lstrip()[2:])
    return " ".join(words).replace("|", "\\|")


def main() -> int:
    """Writes what differs and says so."""
    wanted = files()
    for path in stale():
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
