"""The law of a page, place after place: draws, conditional vectors and marginals of any chooser.

The arm at place s is drawn from the chooser's distribution over what is *left* there. Given the arms before it, that
distribution depends only on their set, not on their order: this is what makes the marginals exact by recursion,

    P(k at s) = Σ_A P(A filled the places before s)·p_s(k | A),   P(A ∪ {k}) += P(A)·p_s(k | A),

over the sets A of s - 1 arms that have any probability. Where p(k | A) = p_k/Σ_{j∉A} p_j this is the Plackett-Luce law
of a ranking. References: Plackett, Applied Statistics 24 (1975); Luce, Individual Choice Behavior (1959).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from bandit.types import Bools, Floats, Ints
from bandit.validation import InvalidInput

SETS = 10_000
"""How many sets of arms the recursion visits at most: 10 arms at 5 places make 386, 13 at all of theirs 8,192."""

Chooser: TypeAlias = Callable[[int, Bools], Floats]
"""From a place and the (n, K) arms used before it to the (n, K) distribution there."""


def conditionals(arms: Ints, chooser: Chooser, *, size: int) -> Floats:
    """Return (n, S, K) the distribution at each place given the ``arms`` at the places before it."""
    n, places = arms.shape
    used = np.zeros((n, size), dtype=np.bool_)
    found = np.empty((n, places, size))
    for place in range(places):
        found[:, place] = chooser(place, used)
        used[np.arange(n), arms[:, place]] = True
    return found


def draw(uniforms: Floats, chooser: Chooser, *, size: int) -> tuple[Ints, Floats]:
    """Return (n, S) arms and the (n, S, K) vectors that they were drawn from, by one uniform in [0, 1) a place."""
    n, places = uniforms.shape
    used = np.zeros((n, size), dtype=np.bool_)
    arms = np.empty((n, places), dtype=np.int64)
    found = np.empty((n, places, size))
    for place in range(places):
        found[:, place] = chooser(place, used)
        arms[:, place] = _pick(found[:, place], uniforms[:, place])
        used[np.arange(n), arms[:, place]] = True
    return arms, found


def marginals(rows: int, places: int, chooser: Chooser, *, size: int) -> Floats:
    """Return (n, S, K) the probability of every arm at each place, whatever stands at the others.

    Raises
    ------
    InvalidInput
        More than :data:`SETS` sets of arms have any probability.
    """
    found = np.zeros((rows, places, size))
    level: dict[tuple[int, ...], Floats] = {(): np.ones(rows)}
    visited = 0
    for place in range(places):
        visited += len(level)
        if visited > SETS:
            raise InvalidInput(
                f"marginals over {size} arms at {places} places need more than {SETS} sets of arms; take fewer places, "
                "or the mean of the conditional vectors over many draws"
            )
        following: dict[tuple[int, ...], Floats] = {}
        for before, weight in level.items():
            used = np.zeros((rows, size), dtype=np.bool_)
            used[:, list(before)] = True
            shares = weight[:, None] * chooser(place, used)
            found[:, place] += shares
            for k in np.flatnonzero(shares.any(axis=0)):
                after = tuple(sorted({*before, int(k)}))
                following[after] = following.get(after, 0.0) + shares[:, k]
        level = following
    return found


def _pick(p: Floats, uniforms: Floats) -> Ints:
    """Invert the cumulative distribution; an arm without probability is never picked, whatever the rounding."""
    cumulative = np.cumsum(p, axis=1)
    picked = (cumulative <= (uniforms * cumulative[:, -1])[:, None]).sum(axis=1)
    last = p.shape[1] - 1 - np.argmax(p[:, ::-1] > 0, axis=1)
    return np.asarray(np.minimum(picked, last), dtype=np.int64)
