"""Requirements on labels, of nodes and of pods: the parsed form of a metav1.LabelSelector."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequirement:
    """`operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """All of them must hold; empty selects everything."""

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[LabelRequirement, ...] = ()
