r"""Estimates of many segments, drawn towards what they have in common: for whom each variant is believed to be best.

With estimates :math:`y_s` of squared standard errors :math:`v_s` in S segments, and true values spread around a common
mean with variance :math:`\tau^2`,

.. math:: \hat\mu = \frac{\sum w_s y_s}{\sum w_s}, \quad w_s = \frac{1}{v_s + \tau^2}, \qquad
          \tilde y_s = \hat\mu + \frac{\tau^2}{\tau^2 + v_s}\,(y_s - \hat\mu),

with :math:`\tau^2` by DerSimonian and Laird, or by restricted maximum likelihood. Taking :math:`\tau^2` as known, the
posterior variance of :math:`\tilde y_s` is :math:`B_s v_s + (1 - B_s)^2 / \sum w`, where
:math:`B_s = \tau^2/(\tau^2 + v_s)`.

The shrunk point is a belief: it is nearer to the truth on average over segments, and biased towards the middle for any
one of them. What is proved about a segment is said by its own, unshrunk sequence, at a level shared by the segments.
Of few segments :math:`\tau^2` is badly known, and with DerSimonian and Laird too often zero.

References
----------
DerSimonian and Laird 1986, Controlled Clinical Trials 7, 177-188, §3. Efron and Morris 1975, JASA 70 (shrinkage).
Viechtbauer 2005, J. Educational and Behavioral Statistics 30(3), eq. 19 to 21 (restricted likelihood).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from bandit.types import Floats, Ints
from bandit.validation import require

MAX_STEPS = 200


class Spread(StrEnum):
    """How the variance between segments is estimated."""

    DERSIMONIAN_LAIRD = "dersimonian-laird"
    REML = "reml"


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Segments drawn towards their common mean.

    Parameters
    ----------
    points, variances
        (S,) shrunk points and their posterior variances; those of a segment without an estimate are the common mean's.
    mean
        μ̂, what the segments have in common.
    spread
        τ², the variance between segments.
    """

    points: Floats
    variances: Floats
    mean: float
    spread: float


def shrink(estimates: npt.ArrayLike, variances: npt.ArrayLike, *, spread: Spread = Spread.DERSIMONIAN_LAIRD) -> Floats:
    """Return (S,) shrunk points from (S,) estimates and their squared standard errors.

    A segment that is not finite, or of variance zero or less, has no estimate: it gets the common mean (zero where no
    segment has one).

    >>> shrink([0.10, 0.12, 0.30], [1e-4, 1e-4, 1e-2]).round(4).tolist()
    [0.1031, 0.1187, 0.1204]
    """
    return shrunk(estimates, variances, spread=spread).points


def shrunk(estimates: npt.ArrayLike, variances: npt.ArrayLike, *, spread: Spread = Spread.DERSIMONIAN_LAIRD) -> Shrunk:
    """The same with posterior variances, the common mean and the variance between segments."""
    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    require(y.ndim == 1 and y.shape == v.shape, f"estimates and variances must agree, found {y.shape} and {v.shape}")
    known = np.isfinite(y) & np.isfinite(v) & (v > 0)
    if not known.any():
        return Shrunk(np.zeros(len(y)), np.zeros(len(y)), 0.0, 0.0)
    between = spread_of(y[known], v[known], spread=spread)
    weights = 1 / (v[known] + between)
    mean = float(weights @ y[known] / weights.sum())
    trust = np.zeros(len(y))
    trust[known] = between / (between + v[known])
    within = np.where(known, v, between)
    posterior = np.where(known, trust * within, between) + (1 - trust) ** 2 / weights.sum()
    return Shrunk(mean + trust * (np.where(known, y, mean) - mean), posterior, mean, between)


def spread_of(estimates: Floats, variances: Floats, *, spread: Spread = Spread.DERSIMONIAN_LAIRD) -> float:
    """τ² of (S,) estimates with positive variances; 0 where they differ by no more than chance would have it.

    >>> round(spread_of(np.array([1.0, 2.0, 6.0]), np.ones(3)), 4)
    6.0
    """
    if len(estimates) < 2:
        return 0.0
    found = _dersimonian_laird(estimates, variances)
    return found if spread is Spread.DERSIMONIAN_LAIRD else _reml(estimates, variances, found)


def best_for(points: npt.ArrayLike, *, increase: bool = True) -> Ints:
    """Return (S,) which variant has the best shrunk point in each segment, from (S, K) points: a belief.

    >>> best_for([[0.1, 0.2], [0.3, 0.2]]).tolist()
    [1, 0]
    """
    table = np.asarray(points, dtype=np.float64)
    require(table.ndim == 2 and table.shape[1] > 0, f"points must be (S, K), found {table.shape}")
    return np.asarray(table.argmax(axis=1) if increase else table.argmin(axis=1))


def for_whom(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    *,
    increase: bool = True,
    spread: Spread = Spread.DERSIMONIAN_LAIRD,
) -> tuple[Floats, Ints]:
    """Return (S, K) shrunk points and (S,) the variant believed best in each segment, from (S, K) tables.

    Each variant's segments are drawn towards that variant's own common mean.

    >>> points, best = for_whom([[0.10, 0.20], [0.12, 0.05]], [[1e-4, 1e-4], [1e-4, 1e-4]])
    >>> best.tolist()
    [1, 0]
    """
    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    require(y.ndim == 2 and y.shape == v.shape, f"estimates and variances must agree, found {y.shape} and {v.shape}")
    columns: Sequence[Floats] = [shrink(y[:, k], v[:, k], spread=spread) for k in range(y.shape[1])]
    points = np.stack(columns, axis=1)
    return points, best_for(points, increase=increase)


def _dersimonian_laird(y: Floats, v: Floats) -> float:
    """max(0, (Q − (S − 1)) / (Σw − Σw²/Σw)), Q the weighted sum of squares around the mean, w = 1/v."""
    w = 1 / v
    total = w.sum()
    q = float(w @ (y - w @ y / total) ** 2)
    return max(0.0, (q - (len(y) - 1)) / float(total - w @ w / total))


def _reml(y: Floats, v: Floats, start: float) -> float:
    """Fisher scoring on the restricted likelihood, from another estimate, kept at or above zero."""
    between = start
    for _ in range(MAX_STEPS):
        w = 1 / (v + between)
        total, squares, cubes = w.sum(), w @ w, w @ (w * w)
        mean = w @ y / total
        score = (w * w) @ (y - mean) ** 2 - total + squares / total
        information = squares - 2 * cubes / total + (squares / total) ** 2
        after = max(0.0, between + float(score / information))
        if abs(after - between) <= 1e-12 * (after + float(v.min())):
            return after
        between = after
    return between
