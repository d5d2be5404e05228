"""The operator's caches: redirects, nodes and node objects, who selects whom, and what is due.

Kept up to date by `observe`, read by `plan`. One thread owns it. It does no I/O and knows no
clock; each change marks the keys that have to be planned again, and only those.
"""

from collections.abc import Iterator
from dataclasses import replace

from xdpredirect.controller.agents_seen import AgentsSeen
from xdpredirect.controller.due import Due
from xdpredirect.controller.observed import Document, Node, NodeObject, Redirect, older
from xdpredirect.controller.plain import child, text
from xdpredirect.controller.pods import PodBook
from xdpredirect.controller.read_node import read_node, read_node_object
from xdpredirect.controller.read_redirect import read_redirect
from xdpredirect.controller.render import left_out
from xdpredirect.controller.select import selects
from xdpredirect.controller.silence import Answers
from xdpredirect.controller.standing import stand
from xdpredirect.controller.tally import Change, Tally


class Fleet:
    """`redirects`, `nodes` and `objects` are by name. `silence_bound` is in seconds: for so long
    a node may leave a spec unanswered before it no longer counts. `term` is higher than that of
    every leader before."""

    def __init__(self, silence_bound: float, term: int = 1) -> None:
        self.term = term
        self.redirects: dict[str, Redirect] = {}
        self.nodes: dict[str, Node] = {}
        self.objects: dict[str, NodeObject] = {}
        self.tallies: dict[str, Tally] = {}
        self.answers = Answers(silence_bound)
        self.agents = AgentsSeen()
        self.pods = PodBook()
        self._selected: dict[str, set[str]] = {}
        self._selecting: dict[str, set[str]] = {}
        self._mentions: dict[str, set[str]] = {}
        self._leaving: set[str] = set()
        self._left_out: dict[str, frozenset[str]] = {}
        self._due_redirects: set[str] = set()
        self._due_nodes: set[str] = set()
        self._due_counters: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing has to be planned."""
        due = self._due_redirects or self._due_nodes or self._due_counters
        return self.pods.idle and not due

    def take_due(self) -> Due:
        """What has to be planned since the last call. What has no room on a node is found out here
        for all of them, however many a pass writes: statuses must not begin with a guess."""
        self._look_at_pods()
        for node in self._due_nodes & self.nodes.keys():
            self._leave_out(node, left_out(self.tellable(node)))
        due = Due(
            frozenset(self._due_redirects),
            frozenset(self._due_nodes),
            frozenset(self._due_counters - self._due_redirects),
        )
        self._due_redirects, self._due_nodes, self._due_counters = set(), set(), set()
        return due

    def _look_at_pods(self) -> None:
        changed = self.pods.take()
        self._due_nodes |= changed.nodes & self.nodes.keys()
        for name, redirect in self.redirects.items() if changed.namespaces else ():
            if any(clients.namespace in changed.namespaces for _, clients in redirect.pods):
                self._due_nodes |= self._selected.get(name, set())

    def mark(self, due: Due) -> None:
        """Plan these again, because acting failed or has to wait."""
        self._due_redirects |= due.redirects
        self._due_nodes |= due.nodes
        self._due_counters |= due.counters

    def everything(self) -> Due:
        """Every key there is."""
        return Due(frozenset(self.redirects), frozenset({*self.nodes, *self.objects}))

    def tellable(self, node: str) -> Iterator[Redirect]:
        """The redirects that select the node and that it may hear of. One that nothing holds could
        be deleted without anybody waiting for the node; where it runs it stays."""
        there = self.objects.get(node)
        told = {entry.uid for entry in there.entries} if there else ()
        selecting = (self.redirects[name] for name in self._selecting.get(node, ()))
        return (redirect for redirect in selecting if redirect.held or redirect.uid in told)

    def holding(self, redirect: Redirect) -> Iterator[str]:
        """Nodes that may still run a redirect that is to go: those that are told or report so, and
        those that have not said what they did with a spec that may have held it."""
        known = (of.get(redirect.name, set()) for of in (self._selected, self._mentions))
        for node in sorted(self.answers.estranged.union(*known) & self.nodes.keys()):
            there = self.objects.get(node)
            if node in self.answers.spec.silent:
                continue
            if there.may_run(redirect) if there else node in self.answers.unfinished:
                yield node

    def asks_again(self, node: str) -> bool:
        """Whether a deletion waits for what the node reported a while ago. Only a new revision
        tells an agent that fails to detach from one that is dead: the one answers it."""
        there = self.objects.get(node)
        return (
            there is not None
            and node in self.answers.detaching.silent
            and not self._leaving.isdisjoint(there.leftovers)
        )

    def put_redirect(self, document: Document) -> None:
        """An XdpRedirect as the API server sent it; an older one than is known does nothing."""
        new = read_redirect(document)
        old = self.redirects.get(new.name)
        if old is not None and older(new, old):
            return
        self.redirects[new.name] = new
        self.tallies.setdefault(new.name, Tally())
        self._due_redirects.add(new.name)
        (self._leaving.add if new.deleting else self._leaving.discard)(new.name)
        if old is None or old.demand != new.demand:
            for node in self.nodes.values():
                self._join(new, node)
            self._due_nodes.update(self._selected.get(new.name, ()))
            self._due_nodes.update(self._mentions.get(new.name, ()))

    def drop_redirect(self, name: str) -> None:
        """It is gone."""
        if self.redirects.pop(name, None) is None:
            return
        del self.tallies[name]
        self._leaving.discard(name)
        for node in self._selected.pop(name, set()):
            self._selecting[node].discard(name)
            self._due_nodes.add(node)
        self._due_redirects.add(name)  # for whoever keeps something of it

    def put_node(self, document: Document) -> None:
        """A Node, or its essence."""
        new = read_node(document)
        old = self.nodes.get(new.name)
        if old is not None and older(new, old):
            return
        self.nodes[new.name] = new
        if old == new:
            return
        for redirect in self.redirects.values():
            self._join(redirect, new)
        self._due_nodes.add(new.name)
        self._touch(new.name)

    def drop_node(self, name: str) -> None:
        """It is gone; what is left of its node object counts for nobody."""
        if self.nodes.pop(name, None) is None:
            return
        for redirect in self._selecting.pop(name, set()):
            self._selected[redirect].discard(name)
            self.tallies[redirect].put(name, None)
            self._due_redirects.add(redirect)
        self._left_out.pop(name, None)
        self._touch(name)
        self._due_nodes.add(name)

    def put_object(self, document: Document) -> None:
        """A node object as the API server sent it; an older one than is known does nothing."""
        old = self.objects.get(text(child(document, "metadata"), "name"))
        new = read_node_object(document, old)
        new = replace(new, earlier=new.earlier & self.redirects.keys()) if new.earlier else new
        if old is not None and older(new, old):
            return
        self.objects[new.name] = new
        self.answers.heard(new, old)
        if old is None or old.demand != new.demand:
            self._due_nodes.add(new.name)
        self._mention(new, old)
        self._touch(new.name)

    def drop_object(self, name: str) -> None:
        """It is gone."""
        old = self.objects.pop(name, None)
        if old is None:
            return
        self.answers.vanished(old)
        self._mention(None, old)
        self._due_nodes.add(name)
        self._touch(name)

    def _leave_out(self, node: str, names: frozenset[str]) -> None:
        if self._left_out.get(node, frozenset()) == names:
            return
        if names:
            self._left_out[node] = names
        else:
            del self._left_out[node]
        self._touch(node)

    def advance(self, now: float) -> None:
        """Let time pass, by a monotonic clock in seconds: nodes that have been asked too long ago
        fall silent."""
        for node in self.answers.spec.advance(now):
            self._touch(node)
        self._due_nodes.update(self.answers.detaching.advance(now))

    def _join(self, redirect: Redirect, node: Node) -> None:
        """Bring the two indexes up to date for one pair."""
        selected = self._selected.setdefault(redirect.name, set())
        selecting = self._selecting.setdefault(node.name, set())
        if selects(redirect, node):
            selected.add(node.name)
            selecting.add(redirect.name)
            self._count(redirect, node.name)
            return
        selected.discard(node.name)
        selecting.discard(redirect.name)
        if self.tallies[redirect.name].put(node.name, None) is not Change.NOTHING:
            self._due_redirects.add(redirect.name)
            self._due_nodes.add(node.name)

    def _touch(self, node: str) -> None:
        """Count again what the node contributes, and look again at what it may hold up."""
        for name in self._selecting.get(node, ()):
            self._count(self.redirects[name], node)
        lost = node in self.answers.estranged
        for name in self._leaving:
            if lost or node in self._mentions.get(name, ()) or node in self._selected.get(name, ()):
                self._due_redirects.add(name)

    def _count(self, redirect: Redirect, node: str) -> None:
        omitted = redirect.name in self._left_out.get(node, ())
        silent = node in self.answers.spec.silent or self.nodes[node].unreachable
        part = stand(redirect, self.objects.get(node), silent, omitted)
        change = self.tallies[redirect.name].put(node, part)
        if change is Change.STANDING:
            self._due_redirects.add(redirect.name)
        elif change is Change.COUNTERS:
            self._due_counters.add(redirect.name)

    def _mention(self, new: NodeObject | None, old: NodeObject | None) -> None:
        before = old.mentions if old else frozenset()
        after = new.mentions if new else frozenset()
        node = new.name if new else old.name if old else ""
        for name in before - after:
            self._mentions[name].discard(node)
            if not self._mentions[name]:
                del self._mentions[name]
            self._due_redirects |= {name} & self.redirects.keys()
        for name in after - before:
            self._mentions.setdefault(name, set()).add(node)
