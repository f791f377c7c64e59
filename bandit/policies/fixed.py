"""The fixed split: A/B/n with weights."""

from __future__ import annotations

import numpy as np

from bandit.policy import ContextFree
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats


class Fixed(ContextFree):
    """Sends each arm its share of the traffic, whatever happens.

    p_k = w_k / sum of the allowed arms' w, w the arms' weights. It learns nothing, so its state is empty, and a
    comparison of its arms needs no propensities.

    >>> from bandit.types import Arms
    >>> Fixed(arms=Arms(("a", "b", "c"), weights=(2.0, 1.0, 1.0))).distribution(allowed=[True, True, False]).round(3)
    array([[0.667, 0.333, 0.   ]])
    """

    name = "fixed"

    def _cold(self) -> Arrays:
        return {}

    def _weigh(self, arms: Bools) -> Floats:
        weights = np.array(self.arms.weights, dtype=np.float64)[arms]
        # The largest is divided out first: weights near the end of the floats must not overflow their sum.
        weights /= weights.max()
        return np.asarray(weights / weights.sum())

    def _absorb(self, batch: Batch) -> None:
        """Nothing is learned."""
