"""Who gets the 256 slots of a spread. One mechanism for CPUs and devices.

Slots are first shared out among all configured members by weight, each slot going to the member
that ranks it highest (rendezvous hashing) while that member's share lasts. Then the slots of
members that are not alive are given to the living, again by rank. So the death of a member moves
only its own flows, and its return moves exactly those back. docs/spread.md is the definition.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

SLOTS = 256


@lru_cache(maxsize=4096)
def _ranks(member: str) -> tuple[float, ...]:
    """A number in (0, 1) for each slot."""
    stream = b"".join(
        blake2b(f"{member}/{part}".encode(), digest_size=64).digest() for part in range(32)
    )
    return tuple(
        (int.from_bytes(stream[8 * slot : 8 * slot + 8]) + 1) / (2**64 + 2) for slot in range(SLOTS)
    )


def _score(member: str, weight: int, slot: int) -> float:
    return -weight / math.log(_ranks(member)[slot])


def _shares(members: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Slots per member, by largest remainder; ties go to the earlier name."""
    total = sum(weight for _, weight in members)
    exact = {name: SLOTS * weight / total for name, weight in members}
    shares = {name: int(value) for name, value in exact.items()}
    rest = SLOTS - sum(shares.values())
    for name in sorted(exact, key=lambda name: (shares[name] - exact[name], name))[:rest]:
        shares[name] += 1
    return shares


@lru_cache(maxsize=256)
def _primary(members: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    left = _shares(members)
    ranked = sorted(
        (
            (-_score(name, weight, slot), slot, name)
            for name, weight in members
            for slot in range(SLOTS)
        )
    )
    owner: dict[int, str] = {}
    for _, slot, name in ranked:
        if slot not in owner and left[name]:
            owner[slot] = name
            left[name] -= 1
    return tuple(owner[slot] for slot in range(SLOTS))


def assign(members: Sequence[tuple[str, int]], alive: frozenset[str]) -> tuple[str | None, ...]:
    """Owner of each slot. `members` are (name, weight); None everywhere when nobody is alive."""
    ordered = tuple(sorted(members))
    living = [(name, weight) for name, weight in ordered if name in alive]
    if not living:
        return (None,) * SLOTS
    return tuple(
        name if name in alive else max(living, key=lambda m: (_score(m[0], m[1], slot), m[0]))[0]
        for slot, name in enumerate(_primary(ordered))
    )


def rotate(members: Sequence[str]) -> tuple[str | None, ...]:
    """Slots dealt out in turn, for spreads by receive queue and round robin."""
    if not members:
        return (None,) * SLOTS
    return tuple(members[slot % len(members)] for slot in range(SLOTS))
