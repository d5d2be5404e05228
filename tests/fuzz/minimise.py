"""The fewest rules that still fail. Called by `worker`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from xdpredirect.api.redirect import XdpRedirect

MOST_TRIES = 40


def minimise(
    objects: Sequence[XdpRedirect], fails: Callable[[Sequence[XdpRedirect]], bool]
) -> tuple[XdpRedirect, ...]:
    """Leaves out rules, many at first, as long as `fails` says so; objects left empty go."""
    rules = [(each.name, rule.name) for each in objects for rule in each.spec.rules]
    size, tries = max(len(rules) // 2, 1), 0
    while size and tries < MOST_TRIES:
        start = 0
        while start < len(rules) and len(rules) > 1 and tries < MOST_TRIES:
            fewer = rules[:start] + rules[start + size :]
            tries += 1
            if fewer and fails(_only(objects, fewer)):
                rules = fewer
            else:
                start += size
        size //= 2
    return _only(objects, rules)


def _only(
    objects: Sequence[XdpRedirect], rules: Sequence[tuple[str, str]]
) -> tuple[XdpRedirect, ...]:
    wanted = set(rules)
    left = [
        (each, tuple(rule for rule in each.spec.rules if (each.name, rule.name) in wanted))
        for each in objects
    ]
    return tuple(replace(o, spec=replace(o.spec, rules=kept)) for o, kept in left if kept)
