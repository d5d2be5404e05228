"""In which order actions are carried out, and which of them wait for each other. Pure.

Called by `loop`.
"""

from collections.abc import Iterable

from xdpredirect.controller.actions import (
    Action,
    AddFinalizer,
    ApplyDaemonSet,
    ApplyNodeObject,
    LabelNode,
)


def key_of(action: Action) -> tuple[str, str]:
    """Kind and name of what the action is about: "node", "redirect" or "agents"."""
    match action:
        case ApplyNodeObject(node=node) | LabelNode(node=node):
            return "node", node.name
        case ApplyDaemonSet():
            return "agents", "daemonset"
        case _:
            return "redirect", action.redirect


def phases(actions: Iterable[Action]) -> tuple[list[Action], ...]:
    """Hold objects before nodes are told; tell people after that."""
    found: tuple[list[Action], ...] = ([], [], [])
    for action in actions:
        if isinstance(action, AddFinalizer):
            found[0].append(action)
        elif key_of(action)[0] == "node":
            found[1].append(action)
        else:
            found[2].append(action)
    return found


def chains(actions: Iterable[Action]) -> tuple[list[Action], ...]:
    """Actions of one key, one list for each: each of them may need those before it."""
    found: dict[tuple[str, str], list[Action]] = {}
    for action in actions:
        found.setdefault(key_of(action), []).append(action)
    return tuple(found.values())
