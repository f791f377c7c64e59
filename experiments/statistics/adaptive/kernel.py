"""Adding rows to the doubly robust sums, compiled: O(K² C²) a row, in order, so that no portion of rows matters.

The names and shapes of the arrays are those of :class:`experiments.statistics.adaptive.sums.AdaptiveSums`. In each row

    G_i = Σ_a e_i(a) m_a + e_i(A)/π_A (r - m_A)

is the score of target i (e_i its probabilities, m the forecasts, r the outcome of the chosen variant A), 0 where the
target is not eligible. Every product of two targets is summed over the rows where both are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bandit.kernels.jit import long_kernel
from bandit.types import Floats, Ints
from experiments.statistics.moments import EQUAL, MIN_ROWS

DECAY: Final = 0.5 ** (1 / 1000)
"""Of the moving variance: half of its weight lies in the last 1,000 rows."""
MIN_REWARDS: Final = 20


@long_kernel
def add_rows(
    chosen: Ints,
    outcomes: Floats,
    p: Floats,
    predictions: Floats,
    rows: Floats,
    total: Floats,
    square: Floats,
    cross: Floats,
    inverse: Floats,
    mixed: Floats,
    overlap: Floats,
    residual: Floats,
    recent: Floats,
    rewarded: Floats,
    default: Floats,
    scale: Floats,
    size: Floats,
) -> None:
    """Add (R, n) rows of R lanes, each to its own sums, in place."""
    for lane in range(len(p)):
        _add_lane(
            chosen[lane],
            outcomes[lane],
            p[lane],
            predictions[lane],
            rows[lane],
            total[lane],
            square[lane],
            cross[lane],
            inverse[lane],
            mixed[lane],
            overlap[lane],
            residual[lane],
            recent[lane],
            rewarded[lane],
            default[lane],
            scale[lane],
            size[lane],
        )


@long_kernel
def _add_lane(
    chosen: Ints,
    outcomes: Floats,
    p: Floats,
    predictions: Floats,
    rows: Floats,
    total: Floats,
    square: Floats,
    cross: Floats,
    inverse: Floats,
    mixed: Floats,
    overlap: Floats,
    residual: Floats,
    recent: Floats,
    rewarded: Floats,
    default: Floats,
    scale: Floats,
    size: Floats,
) -> None:
    arms, channels = p.shape[1], outcomes.shape[1]
    opened, uniform, inverses = np.empty(arms + 2), np.empty(arms), np.empty(arms)
    score, left = np.empty((channels, arms + 2)), np.empty(channels)
    weights = np.empty(1 + channels * channels)
    for t in range(len(chosen)):
        k = chosen[t]
        for c in range(channels):
            left[c] = outcomes[t, c] - predictions[t, c, k]
            rewarded[c] += outcomes[t, c] != default[c]
        _open(t, p, opened, uniform, inverses)
        _score(t, k, p, predictions, left, opened, uniform, inverses, score)
        _weigh(recent, weights)
        _add_scores(score, opened, rows, total, square, cross)
        _add_guards(t, weights, p, opened, uniform, inverses, inverse, mixed, overlap)
        _add_residual(k, left, residual, recent)
        if size[0] == 0:
            _freeze(arms, rewarded, residual, scale, size)


@long_kernel
def _open(t: int, p: Floats, opened: Floats, uniform: Floats, inverses: Floats) -> None:
    """Write 1 where a target is eligible (T), the uniform distribution over eligible variants (K), and 1/π (K)."""
    arms = p.shape[1]
    several = 0
    for a in range(arms):
        several += p[t, a] > 0
    for a in range(arms):
        if p[t, a] > 0:
            opened[a], uniform[a], inverses[a] = 1.0, 1 / several, 1 / p[t, a]
        else:
            opened[a], uniform[a], inverses[a] = 0.0, 0.0, 0.0
    opened[arms] = opened[arms + 1] = 1.0


@long_kernel
def _score(
    t: int,
    k: int,
    p: Floats,
    predictions: Floats,
    left: Floats,
    opened: Floats,
    uniform: Floats,
    inverses: Floats,
    score: Floats,
) -> None:
    """Write G (C, T): of each variant, then of the uniform and of the logged distribution."""
    arms = p.shape[1]
    for c in range(len(left)):
        evenly, served = 0.0, 0.0
        for a in range(arms):
            score[c, a] = predictions[t, c, a] * opened[a]
            evenly += uniform[a] * predictions[t, c, a]
            served += p[t, a] * predictions[t, c, a]
        score[c, k] += left[c] * inverses[k]
        score[c, arms] = evenly + uniform[k] * inverses[k] * left[c]
        score[c, arms + 1] = served + left[c]


@long_kernel
def _weigh(recent: Floats, weights: Floats) -> None:
    """Write 1 and v (C²), the moving mean of squared residuals of the rows before; 0 without any."""
    weights[0] = 1.0
    for c in range(1, len(recent)):
        weights[c] = recent[c] / recent[0] if recent[0] > 0 else 0.0


@long_kernel
def _add_scores(score: Floats, opened: Floats, rows: Floats, total: Floats, square: Floats, cross: Floats) -> None:
    channels, targets = score.shape
    for i in range(targets):
        if opened[i] > 0:
            for j in range(targets):
                rows[i, j] += opened[j]
            for c in range(channels):
                own = score[c, i]
                for j in range(targets):
                    total[c, i, j] += own * opened[j]
                for d in range(channels):
                    both = own * score[d, i]
                    for j in range(targets):
                        square[c, d, i, j] += both * opened[j]
                        cross[c, d, i, j] += own * score[d, j]


@long_kernel
def _add_guards(
    t: int,
    weights: Floats,
    p: Floats,
    opened: Floats,
    uniform: Floats,
    inverses: Floats,
    inverse: Floats,
    mixed: Floats,
    overlap: Floats,
) -> None:
    """Add Σ e_i(a) e_j(a)/π_a, once plain and once for each entry of v."""
    arms, targets = p.shape[1], len(opened)
    for w in range(len(weights)):
        for a in range(arms):
            if opened[a] > 0:
                plain, evenly, served = weights[w] * inverses[a], weights[w] * uniform[a], weights[w] * p[t, a]
                square = evenly * uniform[a] * inverses[a]
                for j in range(targets):
                    inverse[w, a, j] += plain * opened[j]
                    mixed[w, 0, a, j] += square * opened[j]
                    mixed[w, 1, a, j] += served * opened[j]
                overlap[w, 0, a] += evenly * inverses[a]
                overlap[w, 1, a] += weights[w]
                overlap[w, 2, a] += evenly


@long_kernel
def _add_residual(k: int, left: Floats, residual: Floats, recent: Floats) -> None:
    """Add r - m and its products to the chosen variant's sums (1 + C + C²), and to the moving ones (1 + C²)."""
    channels = len(left)
    residual[0, k] += 1.0
    recent[0] = DECAY * recent[0] + 1.0
    for c in range(channels):
        residual[1 + c, k] += left[c]
        for d in range(channels):
            place = 1 + c * channels + d
            residual[channels + place, k] += left[c] * left[d]
            recent[place] = DECAY * recent[place] + left[c] * left[d]


@long_kernel
def _freeze(arms: int, rewarded: Floats, residual: Floats, scale: Floats, size: Floats) -> None:
    """Fix the pooled covariance (C, C) and K, by which η is tuned, at the first row where there is enough."""
    channels = len(rewarded)
    rows = residual[0].sum()
    if rows < MIN_ROWS or rewarded.min() < MIN_REWARDS:
        return
    mean, square = residual[1].sum() / rows, residual[1 + channels].sum() / rows
    if not square - mean * mean > EQUAL * square:
        return
    size[0] = arms
    for c in range(channels):
        for d in range(channels):
            both = residual[1 + channels + c * channels + d].sum() / rows
            scale[c, d] = both - residual[1 + c].sum() / rows * (residual[1 + d].sum() / rows)
