"""Adding rows to plain sums, compiled: one after the other, so that where they are cut leaves no trace."""

from __future__ import annotations

from bandit.kernels.jit import long_kernel
from bandit.types import Floats, Ints


@long_kernel
def tally(lanes: Ints, chosen: Ints, y: Floats, x: Floats, tallies: Floats) -> None:
    """Add n rows to (L, 7, K) n, Σy, Σy², how many y are not 0, Σx, Σx², Σxy, each in all of its (n, S) lanes."""
    for row in range(len(chosen)):
        k, first, second = chosen[row], y[row], x[row]
        for column in range(lanes.shape[1]):
            own = tallies[lanes[row, column]]
            own[0, k] += 1.0
            own[1, k] += first
            own[2, k] += first * first
            own[3, k] += first != 0.0
            own[4, k] += second
            own[5, k] += second * second
            own[6, k] += first * second
