"""What another way of filling the page would have earned, from logged placements and their propensities.

============= ==================================================== ==============================================
estimator     weight of the reward at place s                      unbiased where the reward of a place depends on
============= ==================================================== ==============================================
``placement`` e_s(a_s)/π_s(a_s), marginals at the place            the arm at that place alone
``sequence``  Π_{j≤s} e(a_j|before)/π(a_j|before)                  the arms up to that place (cascade)
``page``      Π_j e(a_j|before)/π(a_j|before), all places          all arms of the page
============= ==================================================== ==============================================

e is the page that is asked about, π the logged one; both need the context of the row. Each line is valid wherever the
one above it is, and its weights vary more. Everywhere π must be positive where e is.

References: Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, KDD 2018, section 5 (placement); McInerney,
Brost, Chandar, Mehrotra and Carterette, KDD 2020, section 4 (sequence).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bandit.types import Floats, Ints
from bandit.validation import require


class Assumption(StrEnum):
    """What the reward of a place may depend on."""

    PLACEMENT = "placement"
    SEQUENCE = "sequence"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class PageValue:
    """Mean reward a page, summed over its places, with its standard error and the effective number of pages."""

    value: float
    standard_error: float
    effective: float


def ips(rewards: Floats, arms: Ints, *, logged: Floats, target: Floats, assumption: Assumption) -> PageValue:
    """Return the value of the target page by inverse propensities.

    Parameters
    ----------
    rewards
        (n, S) reward of each place.
    arms
        (n, S) arm at each place.
    logged, target
        (n, S, K) vectors of either page: :meth:`~bandit.slates.slate.Slate.marginals` for ``placement``, else
        :meth:`~bandit.slates.slate.Slate.conditionals` given ``arms``.
    assumption
        Which estimator.

    Raises
    ------
    InvalidInput
        For wrong shapes, and a placement that the logged page could not have made.

    >>> half = np.full((1, 1, 2), 0.5)
    >>> ips(np.array([[1.0]]), np.array([[0]]), logged=half, target=half, assumption=Assumption.PAGE).value
    1.0
    """
    shape = (*arms.shape, logged.shape[-1])
    good = rewards.shape == arms.shape and logged.shape == target.shape == shape
    require(good, f"shapes must fit {shape}, found {rewards.shape}, {logged.shape} and {target.shape}")
    logs, asks = (np.take_along_axis(p, arms[:, :, None], axis=2)[:, :, 0] for p in (logged, target))
    require(bool((logs > 0).all()), "the logged probability of every placement must be positive")
    weights: Floats = asks / logs
    if assumption is not Assumption.PLACEMENT:
        weights = np.asarray(np.cumprod(weights, axis=1))
    if assumption is Assumption.PAGE:
        weights = np.repeat(weights[:, -1:], weights.shape[1], axis=1)
    terms = (weights * rewards).sum(axis=1)
    n = len(terms)
    error = math.sqrt(float(terms.var(ddof=1)) / n) if n > 1 else math.nan
    squares = (weights**2).sum()
    effective = float(weights.sum() ** 2 / squares / weights.shape[1]) if squares > 0 else 0.0
    return PageValue(float(terms.mean()), error, effective)
