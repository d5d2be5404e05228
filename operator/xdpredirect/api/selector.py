"""What a selector of labels means. Pure; called by the agent for its machine and by the operator
for the nodes and pods of a cluster."""

from collections.abc import Mapping

from xdpredirect.api.labels import LabelRequirement, LabelSelector


def selects_labels(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether every requirement holds (the semantics of metav1.LabelSelector)."""
    return all(labels.get(key) == value for key, value in selector.match_labels) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case "In":
            return present and labels[requirement.key] in requirement.values
        case _:  # NotIn holds for what is without the label, as in Kubernetes
            return not present or labels[requirement.key] not in requirement.values
