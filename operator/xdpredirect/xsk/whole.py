"""Who may have the whole map of an interface: pure. Called by `plugin_connection`.

A pod may have it only while it has the device itself. That is the first lock here: who holds a map
can take frames from whoever else is served by it, though it cannot get them (net/xdp/xsk.c,
xsk_rcv_check).
"""

from xdpredirect.xsk.grants import Grant, Peer, Refusal, is_for

IN_PREPARATION = "InPreparation"


def problem_of(peer: Peer, grant: Grant | None, own_netns: int) -> Refusal | None:
    """Why the peer may not have the map of this grant, as far as grants and namespaces tell.
    `own_netns` is the number of the agent's network namespace."""
    who = f"pod {peer.pod}" if peer.pod else f"user {peer.uid}"
    if grant is None or not is_for(grant, peer):
        if grant and peer.pod in grant.host_pods:
            return Refusal("HostNetwork", f"{who} lives in the network of the host")
        return Refusal("NotGranted", f"{who} has no grant for it")
    if not peer.pod:
        return None
    if not grant.away:
        return Refusal("InterfaceHere", f"it is in no pod's network, so not in that of {who}")
    if not peer.netns:
        return Refusal("KernelTooOld", "it does not tell network namespaces apart")
    if peer.netns == own_netns:
        return Refusal("WrongNamespace", f"{who} has connected from the agent's network")
    return None


def problem_there(peer: Peer, grant: Grant, device: str) -> Refusal | None:
    """Why it may not have the map now. `device` is what the interface is called where the peer is,
    empty when it is not there."""
    if not device:
        return Refusal("WrongNamespace", f"it is not in the network of pod {peer.pod}")
    if grant.holder != peer.pod:
        return Refusal(IN_PREPARATION, f"a map of its own is being made for pod {peer.pod}")
    return None
