"""Runs the steps of `removal`: the only place that takes something of the product away.

Called by `uninstall`.
"""

from xdpredirect.cluster.api import Api
from xdpredirect.cluster.resource import DAEMONSETS, DEPLOYMENTS, NODE_OBJECTS, NODES, REDIRECTS
from xdpredirect.controller.agents import LABEL
from xdpredirect.controller.agents import NAME as AGENTS
from xdpredirect.controller.remains import OPERATOR
from xdpredirect.controller.removal import (
    DeleteAgents,
    DeleteNodeObject,
    DeleteRedirect,
    Step,
    StopOperators,
    UnlabelNode,
)


def perform(api: Api, namespace: str, step: Step) -> None:
    """Take one thing away; what is gone already is as it should be. Raises ApiError."""
    match step:
        case DeleteRedirect(name=name):
            api.delete(REDIRECTS, name)
        case StopOperators():
            within = DEPLOYMENTS.within(namespace)
            api.merge_patch(within, OPERATOR, {"spec": {"replicas": 0}}, subresource="scale")
        case DeleteAgents():
            api.delete(DAEMONSETS.within(namespace), AGENTS)
        case UnlabelNode(name=name):
            api.merge_patch(NODES, name, {"metadata": {"labels": {LABEL: None}}})
        case DeleteNodeObject(name=name):
            api.delete(NODE_OBJECTS, name)
