"""What the context-free families keep of each arm: weighted counts, totals and squares of its rewards.

n = Σ w, total = Σ w·r and squares = Σ w·r² over an arm's rows of reward r and weight w, each a (K,) array.
"""

from __future__ import annotations

import numpy as np

from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats

TRIED = 1e-9
"""An arm with less weight than this was not tried: what is left of sums that faded, or of rounding, is no mean."""


def add_rows(state: Arrays, batch: Batch) -> None:
    """Add a batch to whichever of n, total and squares ``state`` has, row after row."""
    np.add.at(state["n"], batch.arms, batch.weights)
    if "total" in state:
        np.add.at(state["total"], batch.arms, batch.weights * batch.rewards)
    if "squares" in state:
        np.add.at(state["squares"], batch.arms, batch.weights * batch.rewards * batch.rewards)


def pooled(state: Arrays) -> tuple[float, float]:
    """Return mean and variance of all rows; variance 1 where nothing is known of it, as all rewards are alike.

    >>> pooled({name: np.array([value]) for name, value in (("n", 2.0), ("total", 4.0), ("squares", 10.0))})
    (2.0, 1.0)
    """
    n, total, squares = (float(state[name].sum()) for name in ("n", "total", "squares"))
    if n <= TRIED:
        return 0.0, 1.0
    mean = total / n
    variance = squares / n - mean**2
    # Below this the difference is rounding: the rewards are equal as far as their squares can tell.
    return mean, variance if variance > 1e-12 * mean**2 else max(mean**2, 1.0)


def shrunk_means(state: Arrays, weight: float) -> Floats:
    """Return (K,) means of the arms, each with ``weight`` rows of the common mean added: an untried arm has that one.

    >>> shrunk_means({"n": np.array([3.0, 0.0]), "total": np.array([3.0, 0.0])}, 1.0).tolist()
    [1.0, 1.0]
    """
    n, total = state["n"], state["total"]
    everything = float(n.sum())
    common = float(total.sum()) / everything if everything > TRIED else 0.0
    return np.asarray((total + weight * common) / (np.maximum(n, 0.0) + weight))


def tried(state: Arrays) -> Bools:
    """Return (K,) whether anything is known of an arm."""
    return np.asarray(state["n"] > TRIED)


def share_ties(scores: Floats) -> Floats:
    """Return the distribution that chooses the highest score, evenly where several are highest.

    >>> share_ties(np.array([1.0, np.inf, np.inf])).tolist()
    [0.0, 0.5, 0.5]
    """
    winners = scores == scores.max()
    return np.asarray(winners / np.count_nonzero(winners))
