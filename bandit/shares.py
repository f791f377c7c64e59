"""From scores with a spread to shares of traffic, compiled: what policies over normal posteriors have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bandit.jit import kernel
from bandit.quick import prob_best_quickly
from bandit.types import Bools, Floats


def plain(array: npt.NDArray[Any], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return ``array`` as kernels know it; one that is strided or read-only would have each compiled anew."""
    return array if array.flags.carray and array.dtype == dtype else np.array(array, dtype=dtype, order="C")


@kernel
def share_by_bound(mean: Floats, sd: Floats, alpha: float, allowed: Bools, law: Floats) -> None:
    """Write 1 to the allowed arm with the largest mean + ``alpha``·sd, shared evenly where several tie exactly.

    ``mean`` and ``sd`` hold the allowed arms one after another; ``law`` (K,) is zero before.
    """
    bound = mean + alpha * sd
    winners = bound == bound.max()
    spread(winners / winners.sum(), allowed, law)


@kernel
def share_by_chance(mean: Floats, sd: Floats, allowed: Bools, law: Floats) -> None:
    """Write to each allowed arm the probability that its independent N(mean, sd²) is the largest."""
    best = np.empty(len(mean))
    prob_best_quickly(mean, sd, best)
    spread(best, allowed, law)


@kernel
def spread(shares: Floats, allowed: Bools, law: Floats) -> None:
    """Write the shares of the allowed arms, which stand one after another, to where those arms are."""
    found = 0
    for k in range(len(law)):
        if allowed[k]:
            law[k] = shares[found]
            found += 1
