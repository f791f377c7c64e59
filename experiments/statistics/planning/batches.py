r"""The sums of many simulated bandits, with whole batches of rows added at once.

Within a batch of B rows the forecasts m and the probabilities π stay the same. So with :math:`L_i` and :math:`Q_i` the
sums of r − m and of its square over the rows on which variant i was shown, its scores (symbols of
:mod:`experiments.statistics.adaptive.sums`) add up to

.. math:: \sum G_i = B m_i + \frac{L_i}{\pi_i}, \qquad
          \sum G_i G_j = B m_i m_j + m_i \frac{L_j}{\pi_j} + m_j \frac{L_i}{\pi_i} + 1\{i=j\}\frac{Q_i}{\pi_i^2},

whatever the rows' order. Only the moving variance is that of before the batch for all its rows, where row by row it
moves within, and η is frozen at the end of a batch: both make 1% of a limit.
"""

from __future__ import annotations

import numpy as np

from bandit.types import Floats
from experiments.statistics.adaptive.kernel import DECAY, MIN_REWARDS
from experiments.statistics.adaptive.plugins import STRENGTH
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.moments import MIN_ROWS


class Batches:
    """R runs of K variants.

    Attributes
    ----------
    sums
        The product's sums of the variants, lanes (R,); those of UNIFORM and SERVED stay empty.
    counts, total, squares
        (R, K) rows, Σ r and Σ r² by variant.
    mean
        (R, K) the forecasts for the next batch.
    """

    def __init__(self, runs: int, arms: int) -> None:
        self.sums = AdaptiveSums.cold(arms, lanes=(runs,))
        self.counts, self.total, self.squares = np.zeros((3, runs, arms))
        self.mean: Floats = np.zeros((runs, arms))

    def add(self, counts: Floats, total: Floats, squares: Floats, p: Floats, *, rewarded: Floats) -> None:
        """Add a batch: (R, K) rows, Σ r, Σ r² and outcomes that are not the default, drawn from (R, K) ``p``."""
        left = total - counts * self.mean
        outer = squares - 2 * self.mean * total + counts * self.mean**2
        self._add_scores(counts.sum(axis=1)[:, None], left, outer, p)
        self._add_guards(counts, outer, p)
        self.sums.residual[:, :, :-1] += np.stack([counts, left, outer], axis=1)
        self.sums.rewarded[:, 0] += rewarded.sum(axis=1)
        self._freeze()
        self.counts += counts
        self.total += total
        self.squares += squares
        pooled = self.total.sum(axis=1, keepdims=True) / self.counts.sum(axis=1, keepdims=True)
        self.mean = (self.total + STRENGTH * pooled) / (self.counts + STRENGTH)

    def _add_scores(self, size: Floats, left: Floats, outer: Floats, p: Floats) -> None:
        """Add Σ G and its products on the rows where both variants were open."""
        open_, inverse = _opened(p)
        both = open_[:, :, None] * open_[:, None, :]
        forecast, score = self.mean * open_, left * inverse
        met = forecast[:, :, None] * score[:, None, :]
        products = size[:, :, None] * forecast[:, :, None] * forecast[:, None, :] + met + met.transpose(0, 2, 1)
        every, arms = np.arange(p.shape[1]), slice(p.shape[1])
        products[:, every, every] += outer * inverse**2
        self.sums.rows[:, arms, arms] += size[:, :, None] * both
        self.sums.total[:, 0, arms, arms] += (size * forecast + score)[:, :, None] * both
        self.sums.square[:, 0, 0, arms, arms] += products[:, every, every][:, :, None] * both
        self.sums.cross[:, 0, 0, arms, arms] += products

    def _add_guards(self, counts: Floats, outer: Floats, p: Floats) -> None:
        """Add Σ 1/π, plain and times the moving variance of before; that of the batch itself in the first one."""
        open_, inverse = _opened(p)
        size, arms, recent = counts.sum(axis=1), slice(p.shape[1]), self.sums.recent
        kept = DECAY**size
        weight = (1 - kept) / (1 - DECAY)
        fresh = np.stack([weight, outer.sum(axis=1) / size * weight], axis=1)
        before = np.where(recent[:, :1] > 0, recent, fresh)
        moving = (before[:, 1] / before[:, 0])[:, None, None]
        added = (size[:, None] * inverse)[:, :, None] * open_[:, None, :]
        self.sums.inverse[:, 0, :, arms] += added
        self.sums.inverse[:, 1, :, arms] += moving * added
        recent *= kept[:, None]
        recent += fresh

    def _freeze(self) -> None:
        """Fix what η is tuned to, in the runs where there is enough now."""
        residual, sums = self.sums.residual, self.sums
        rows, mean, square = residual.sum(axis=2).T
        scale = square / rows - (mean / rows) ** 2
        ready = (rows >= MIN_ROWS) & (sums.rewarded[:, 0] >= MIN_REWARDS) & (scale > 0) & (sums.size[:, 0] == 0)
        sums.size[ready, 0] = sums.arms
        sums.scale[ready, 0, 0] = scale[ready]


def _opened(p: Floats) -> tuple[Floats, Floats]:
    """Return (R, K) 1 where a variant may be shown, and 1/π there, else 0."""
    open_ = (p > 0).astype(np.float64)
    return open_, np.divide(open_, p, out=np.zeros_like(p), where=p > 0)
