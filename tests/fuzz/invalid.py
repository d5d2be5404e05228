"""Broken documents: each must be refused in clear lines. Called by `worker` and the kernel test."""

import json
import re
from random import Random

import yaml

from tests.spec.generate import mutate, random_object
from xdpredirect.api.load import load_text
from xdpredirect.errors import InvalidInput

SOURCE = "standard input"
LONGEST_LINE = 2000
# Source, object, field path, sentence.
_FIELD = re.compile(rf'{SOURCE}: (?:document 1|\w+/.*?): [A-Za-z][\w.\[\]"\\~ -]*: \S.*')
# Text that is too deep to be read as an object has no field to name.
_TEXT = re.compile(rf"{SOURCE}: nested deeper than 100 levels")


def broken_text(seed: str) -> tuple[str, str]:
    """What was broken, and the text of the document in JSON or YAML."""
    rng = Random(seed)
    said, document = mutate(rng, random_object(rng))
    if rng.random() < 0.2:
        return said, yaml.dump(document, Dumper=yaml.CSafeDumper)
    return said, json.dumps(document)


def check_text(seed: str) -> str:
    """An empty string where the loader refuses the document clearly, else what is wrong."""
    said, text = broken_text(seed)
    try:
        load_text(text, SOURCE)
    except InvalidInput as error:
        bad = unclear(error.problems)
        return f"{said}: unclear: {bad}" if bad else ""
    except Exception as error:
        return f"{said}: {type(error).__name__}: {error}"
    return f"{said}: accepted"


def unclear(lines: tuple[str, ...]) -> str:
    """The first line that does not say clearly what is wrong, or nothing."""
    if not lines:
        return "no line at all"
    for line in lines:
        printable = line.isprintable() and len(line) < LONGEST_LINE
        if not printable or not (_FIELD.fullmatch(line) or _TEXT.fullmatch(line)):
            return line
    return "a line comes twice" if len(set(lines)) < len(lines) else ""
