"""Copies the spec of XdpRedirect into the schema of XdpRedirectNode, without what belongs there.

Run as `python scripts/node_schema.py` after a change of crds/xdpredirects.yaml. It rewrites the
lines of crds/xdpredirectnodes.yaml between two comments; a unit test says when that is due.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).resolve().parents[1] / "crds"
BEGIN, END = "# Copied by scripts/node_schema.py from here", "# to here."
# Rules and defaults were applied where the user wrote; a second default could differ from what
# the operator has read, after an upgrade of one file. Examples are for the author of an object.
DROPPED = ("x-kubernetes-validations", "default", "example")
# The operator has already decided which nodes an object is for.
LEFT_OUT = "nodeSelector"


class Dumper(yaml.SafeDumper):
    """Block style, but `required` and short enumerations on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Items of a list are indented below its name, as in the other CRD files."""
        del indentless
        super().increase_indent(flow, False)


def scalars_on_one_line(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    """A short list of scalars as [a, b]; a broken flow list has no indentation that lint takes."""
    flow = len(str(value)) < 80 and not any(isinstance(item, dict | list) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


Dumper.add_representer(list, scalars_on_one_line)


def redirect_schema() -> dict[str, Any]:
    """The schema of `spec.redirects[].spec` as it follows from crds/xdpredirects.yaml."""
    crd = yaml.safe_load((CRDS / "xdpredirects.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    copied: dict[str, Any] = stripped(spec)
    del copied["properties"][LEFT_OUT]
    copied["required"].remove(LEFT_OUT)
    copied["description"] = "Spec of the XdpRedirect without its nodeSelector."
    return copied


def stripped(schema: Any) -> Any:
    """`schema` without the keywords of DROPPED; a field may well have such a name."""
    kept = {key: value for key, value in schema.items() if key not in DROPPED}
    if "properties" in kept:
        kept["properties"] = {name: stripped(field) for name, field in kept["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(kept.get(keyword), dict):
            kept[keyword] = stripped(kept[keyword])
    return kept


def spliced(text: str, schema: dict[str, Any]) -> str:
    """`text` with `schema` between the two comments, indented as the first one is."""
    head, rest = text.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    indent = head.rsplit("\n", 1)[1]
    dumped = yaml.dump({"spec": schema}, Dumper=Dumper, width=100, sort_keys=False)
    lines = "".join(f"{indent}{line}\n" for line in dumped.splitlines())
    return f"{head}{BEGIN}\n{lines}{indent}{END}{tail}"


def main() -> int:
    """Rewrite the file; 0."""
    path = CRDS / "xdpredirectnodes.yaml"
    path.write_text(spliced(path.read_text(), redirect_schema()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
