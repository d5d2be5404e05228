"""Bodies of requests: one value for whoever reads them as JSON and for whoever reads YAML."""

import json
import sys

import yaml

from xdpredirect.cluster.body import encoded

# All of Unicode but surrogates, which are no characters.
EVERY = "".join(chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF)


def test_json_reads_every_character() -> None:
    assert json.loads(encoded({"message": EVERY})) == {"message": EVERY}


def test_yaml_reads_every_character_of_the_first_plane() -> None:
    text = EVERY[:0xF000]
    assert yaml.load(encoded({"message": text}), yaml.CSafeLoader) == {"message": text}


def test_beyond_it_characters_are_not_escaped() -> None:
    assert encoded({"message": "\U0001f600"}) == '{"message":"\U0001f600"}'.encode()


def test_half_a_pair_is_replaced() -> None:
    assert encoded({"message": "eth\udc80"}) == b'{"message":"eth?"}'
