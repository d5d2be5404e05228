"""The CEL rules: Kubernetes' functions, the order of evaluation, and what runs without CEL."""

import string
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.changes import nodes, schema_of
from xdpredirect.api.cel import CelRules, environment
from xdpredirect.api.cel_functions import FUNCTIONS, NATIVE
from xdpredirect.api.schema import Problem

# Macros and functions that the library has by itself.
BUILT_IN = {"size", "contains", "matches", "int", "validate", "hasValue"}


def evaluate(rule: str, value: Any) -> Any:
    context = environment()
    context.add_variable("self", value)
    return cel.evaluate(rule, context)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("isIP('192.0.2.1')", True),
        ("isIP('::ffff:192.0.2.1')", False),
        ("isCIDR('192.0.2.1/24')", True),
        ("isCIDR('192.0.2.1')", False),
        ("cidr('192.0.2.1/24').masked() == cidr('192.0.2.0/24')", True),
        ("cidr('2001:db8::/32') == cidr('2001:0DB8::/32')", True),
        ("cidr('10.0.0.0/8') == cidr('10.0.0.0/9')", False),
        ("['a', 'b'].join('') + ['a', 'b'].join('-')", "aba-b"),
        ("'1-2,3'.split(',')", ["1-2", "3"]),
        ("[1, 2, 3].sum()", 6),
        ("[1, 2].map(x, x * 2).sum() <= 6", True),
        ("format.qualifiedName().validate('example.com/role').hasValue()", False),
        ("format.qualifiedName().validate('a b').hasValue()", True),
        ("format.qualifiedName().validate('a/b/c').hasValue()", True),
        ("format.qualifiedName().validate('" + "a" * 64 + "').hasValue()", True),
        ("'a\\n'.matches('^a$')", False),
        ("false && int('x') == 1", False),
        ("int('x') == 1 && false", False),
        ("true || int('x') == 1", True),
    ],
)
def test_functions_of_kubernetes(expression: str, result: object) -> None:
    assert evaluate(expression, None) == result


@pytest.mark.parametrize("kind", ["XdpRedirect", "XdpAddressSet"])
def test_every_function_of_the_rules_is_known(kind: str) -> None:
    rules = [
        rule["rule"]
        for _, schema in nodes(schema_of(kind))
        for rule in schema.get("x-kubernetes-validations", ())
    ]
    used = {name for rule in rules for name in cel.compile(rule).functions() if name.isalnum()}
    assert rules
    assert used <= set(FUNCTIONS) | BUILT_IN


ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.tuples(st.ip_addresses(), st.integers(0, 130)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.ip_addresses(v=4).map(lambda a: f"{str(a).rsplit('.', 1)[0]}.0/24"),
    st.text(alphabet=string.hexdigits + ".:/%", max_size=43),
)


@pytest.mark.parametrize("rule", NATIVE)
@given(text=ADDRESSES)
def test_native_rules_agree_with_cel(rule: str, text: str) -> None:
    assert NATIVE[rule](text) is evaluate(rule, text)


def schema(*rules: str, **more: Any) -> dict[str, Any]:
    return {"x-kubernetes-validations": [{"rule": r, "message": r} for r in rules], **more}


def test_rules_run_at_each_place_in_order() -> None:
    item = schema("self > 1", "self < 9", type="integer")
    rules = CelRules(
        schema(
            "self.a.size() == 2",
            "has(self.b)",
            type="object",
            properties={"a": {"type": "array", "items": item}},
        )
    )
    assert rules.problems({"a": [0, 5, 9]}, frozenset()) == (
        Problem((), "self.a.size() == 2"),
        Problem((), "has(self.b)"),
        Problem(("a", 0), "self > 1"),
        Problem(("a", 2), "self < 9"),
    )


def test_rules_above_a_malformed_value_are_left_out() -> None:
    item = schema("self > 1", type="integer")
    rules = CelRules(
        schema("false", type="object", properties={"a": {"type": "array", "items": item}})
    )
    found = rules.problems({"a": [0, "x"]}, frozenset({("a", 1)}))
    assert found == (Problem(("a", 0), "self > 1"),)


def test_rules_of_map_values_and_equal_values() -> None:
    rules = CelRules({"additionalProperties": schema("self > 1", type="integer")})
    found = rules.problems({"a": 1, "b": 1, "c": 2}, frozenset())
    assert [problem.path for problem in found] == [("a",), ("b",)]


def test_a_rule_that_cannot_be_evaluated_refuses() -> None:
    (problem,) = CelRules(schema("self.a.b == 1")).problems({"a": 1}, frozenset())
    assert problem.sentence.startswith("self.a.b == 1 (its rule failed: ")


def test_a_rule_with_a_syntax_error_is_a_defect() -> None:
    with pytest.raises(ValueError, match="Failed to parse"):
        CelRules(schema("self >"))
