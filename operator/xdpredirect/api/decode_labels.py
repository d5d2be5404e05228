"""Reads a selector of labels. Called by `decode` for nodes and by `decode_clients` for pods."""

from collections.abc import Mapping

from xdpredirect.api.fields import Fields, problem, text
from xdpredirect.api.labels import LabelRequirement, LabelSelector
from xdpredirect.api.wording import field_path, shown


def decode_selector(value: object, path: str) -> LabelSelector:
    """The value of nodeSelector or podSelector. Raises InvalidInput with one line per problem."""
    f = Fields(value, path, ("matchLabels", "matchExpressions"))
    return LabelSelector(
        match_labels=f.child("matchLabels", _labels) or (),
        match_expressions=f.items("matchExpressions", _requirement),
    )


def _labels(value: object, path: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise problem(path, f"must be an object such as {{role: edge}}, not {shown(value)}")
    return tuple((text(k, path), text(v, field_path(path, k))) for k, v in value.items())


def _requirement(value: object, path: str) -> LabelRequirement:
    f = Fields(value, path, ("key", "operator", "values"))
    operator = f.required("operator", text)
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        raise problem(
            f.path("operator"), f"must be In, NotIn, Exists or DoesNotExist, not {shown(operator)}"
        )
    if operator.endswith("In") != f.has("values"):
        raise problem(path, "give values for In and NotIn; remove them for Exists and DoesNotExist")
    return LabelRequirement(
        key=f.required("key", text), operator=operator, values=f.items("values", text)
    )
