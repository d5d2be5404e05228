"""Which nodes an XdpRedirect is for. Pure; called by `fleet`."""

from xdpredirect.api.selector import selects_labels
from xdpredirect.controller.observed import Node, Redirect


def selects(redirect: Redirect, node: Node) -> bool:
    """Whether nodeSelector means the node. A node that is being deleted is none of anybody."""
    return (
        not node.deleting
        and not redirect.problems
        and selects_labels(redirect.selector, node.labels)
    )
