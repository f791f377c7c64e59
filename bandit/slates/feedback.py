"""What a reward on a page says about its places: which of them were looked at, and how much that counts."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from bandit.types import Floats
from bandit.validation import require


class Feedback(StrEnum):
    """How visitors read the page.

    ``cascade``
        From the first place on, until something is taken: the places after the first reward were not looked at and
        teach nothing. Kveton, Szepesvári, Wen and Ashkan, *Cascading Bandits*, ICML 2015, section 2.
    ``each``
        Every place is looked at with a chance of its own, whatever stands at the others (position-based model).
    """

    CASCADE = "cascade"
    EACH = "each"


def cascade(rewards: Floats) -> Floats:
    """Return (n, S) ones where a visitor who reads from the top looked: up to the first reward, and at it.

    >>> cascade(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    hit = np.asarray(rewards > 0, dtype=np.float64)
    before = np.cumsum(hit, axis=1) - hit
    return np.asarray(before == 0, dtype=np.float64)


def discounted(examination: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return (S,) weights and (S,) scales of the rewards that undo how much less the lower places are looked at.

    A visitor looks at place s with probability γ_s and takes arm k there with γ_s·a_k. With γ the least of them, a row
    of weight γ_s/γ and reward r·γ/γ_s adds γ_s/γ views and r rewards to arm k, whose mean is then γ·a_k wherever it
    stood: its reward at the place that is looked at least. Rewards stay within [0, 1], and rows count by the inverse of
    their variance. Reference: Lagrée, Vernade and Cappé, NIPS 2016, section 3.

    >>> [array.tolist() for array in discounted((1.0, 0.5))]
    [[2.0, 1.0], [0.5, 1.0]]
    """
    gamma = np.array(examination)
    good = gamma.ndim == 1 and len(gamma) > 0 and bool((np.isfinite(gamma) & (gamma > 0) & (gamma <= 1)).all())
    require(good, f"examination must be a probability in (0, 1] a place, found {list(examination)}")
    return gamma / gamma.min(), gamma.min() / gamma
