r"""Planning a bandit, by simulation: how soon its best variant is proved, and what that costs.

Many runs live through batches at once. In each, Thompson sampling (normal posteriors, the library's own quadrature) is
mixed with ε of uniform exploration; the batch's rows by variant, Σ r and Σ r² are drawn and added to the product's own
sums (:mod:`experiments.statistics.planning.batches`); and the product's own inference looks for a proof: all K − 1
lower limits of one variant at α/(K − 1) above zero. Batches grow from 100 rows to 5% of all rows so far, so that a run
takes no longer when it needs millions of rows.

It misleads where the effect is another than planned (who plans with too large a lift waits longer), changes over time,
or depends on the context, and where outcomes come so late that many batches pass before they teach.

References
----------
Scott 2010, A modern Bayesian look at the multi-armed bandit, §3; arXiv:2103.06476, §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandit import exploration
from bandit.chance.quadrature import prob_best_normal
from bandit.types import Bools, Floats
from bandit.validation import require
from experiments.statistics.adaptive.inference import contrasts
from experiments.statistics.moments import N_STAR
from experiments.statistics.planning.batches import Batches
from experiments.statistics.sequential import ALPHA

RUNS = 200
FIRST = 100
GROWTH = 1.05


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How a bandit explores: ε until the proof, and whether a beaten variant loses its share meanwhile."""

    exploration: float
    drop: bool = False

    def __post_init__(self) -> None:
        require(0 < self.exploration <= 1, f"exploration must be above 0 and at most 1, found {self.exploration}")


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """What came of each run.

    Parameters
    ----------
    horizon
        Rows at which all were stopped.
    rows
        (R,) rows until one variant was proved to be the best, infinity where none was.
    wrong
        The share of runs that proved a variant that is not the best.
    regret
        What was lost until the proof against always showing the best one, relative to an equal split of those rows.
    """

    horizon: float
    rows: Floats
    wrong: float
    regret: float

    def within(self, chance: float) -> float:
        """The rows within which the share ``chance`` of all runs had their proof; infinity where they had not."""
        ranked = np.sort(self.rows)
        return float(ranked[min(int(np.ceil(chance * len(ranked))), len(ranked)) - 1])


def simulate(
    means: Sequence[float],
    *,
    rule: Rule,
    horizon: float,
    variance: float | None = None,
    alpha: float = ALPHA,
    n_star: float = N_STAR,
    runs: int = RUNS,
    seed: int = 1,
) -> Simulated:
    """Let ``runs`` bandits serve up to ``horizon`` rows each.

    Parameters
    ----------
    means
        (K,) true mean of each variant, one of them above all others.
    rule
        How they explore.
    horizon
        Rows after which a run ends without a proof.
    variance
        Of one outcome, the same for all variants; None for proportions.
    alpha, n_star
        Of the sequences.
    runs, seed
        R, and what all randomness comes from.

    >>> found = simulate([0.1, 0.4], rule=Rule(0.4), horizon=4_000, n_star=1_000, runs=50)
    >>> found.within(0.8) < 1_500, found.wrong
    (True, 0.0)
    """
    require(horizon > 0, f"horizon must be positive, found {horizon}")
    world = _World(np.asarray(means, dtype=np.float64), variance, np.random.default_rng(seed), runs)
    sums, arms = Batches(runs, len(means)), len(means)
    beaten, done = np.zeros((runs, arms), dtype=np.bool_), np.full(runs, np.inf)
    best = int(np.argmax(world.means))
    lost, equal, wrong, now = np.zeros(runs), np.zeros(runs), np.zeros(runs, dtype=np.bool_), 0
    while now < horizon and np.isinf(done).any():
        size = int(min(max(FIRST, now * (GROWTH - 1)), np.ceil(horizon - now)))
        p = _probabilities(sums, beaten & rule.drop, rule, binary=variance is None)
        counts, total, squares = world.draw(p, size)
        sums.add(counts, total, squares, p, rewarded=total if variance is None else counts)
        now += size
        running = np.isinf(done)
        lost += running * (counts @ (world.means[best] - world.means))
        equal += running * size * float(world.means[best] - world.means.mean())
        better = contrasts(sums.sums, alpha=alpha / (arms - 1), n_star=n_star).low[:, :arms, :arms] > 0
        beaten |= better.any(axis=1)
        # without dropping, a proof needs all limits of one variant at once
        winners: Bools = np.asarray((better | np.eye(arms, dtype=np.bool_)).all(axis=2))
        if rule.drop:
            winners |= ~beaten & (beaten.sum(axis=1) == arms - 1)[:, None]
        new: Bools = running & np.asarray(winners.any(axis=1))
        done[new] = now
        wrong |= new & ~winners[:, best]
    return Simulated(horizon, done, float(wrong.mean()), float(lost.sum() / equal.sum()))


def _probabilities(sums: Batches, dropped: Bools, rule: Rule, *, binary: bool) -> Floats:
    """Return (R, K) what each run draws from now."""
    n, total = sums.counts, sums.total
    if binary:
        a, b = 1 + total, 1 + n - total
        mean, sd = a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b)
    else:
        rows = np.maximum(n.sum(axis=1, keepdims=True), 1.0)
        pooled = total.sum(axis=1, keepdims=True) / rows
        spread = np.maximum(sums.squares.sum(axis=1, keepdims=True) / rows - pooled**2, 1e-300)
        mean, sd = (total + pooled) / (n + 1), np.sqrt(spread / (n + 1))
    among = exploration.contenders(np.ones_like(dropped), dropped)
    low = mean.min(axis=1, keepdims=True) - 50 * sd.max(axis=1, keepdims=True)
    law = prob_best_normal(np.where(among, mean, low), sd) * among
    law /= law.sum(axis=1, keepdims=True)
    return exploration.mix(law, among, rule.exploration)


class _World:
    """Outcomes of R runs, drawn as sums."""

    def __init__(self, means: Floats, variance: float | None, rng: np.random.Generator, runs: int) -> None:
        require(len(means) >= 2, f"there must be at least two variants, found {len(means)}")
        top = np.sort(means)
        require(bool(top[-1] > top[-2]), f"one variant must be better than all others, found {means.tolist()}")
        inside = variance is not None or bool(((means > 0) & (means < 1)).all())
        require(inside, f"proportions must be between 0 and 1, found {means.tolist()}")
        require(variance is None or variance > 0, f"variance must be positive, found {variance}")
        self.means, self._variance, self._rng, self._runs = means, variance, rng, runs

    def draw(self, p: Floats, size: int) -> tuple[Floats, Floats, Floats]:
        """Return (R, K) rows by variant, Σ r and Σ r² of ``size`` rows drawn from (R, K) ``p``."""
        counts = self._rng.multinomial(size, p).astype(np.float64)
        if self._variance is None:
            total = self._rng.binomial(counts.astype(np.int64), self.means).astype(np.float64)
            return counts, total, total
        total = counts * self.means + np.sqrt(counts * self._variance) * self._rng.standard_normal(counts.shape)
        spread = self._variance * self._rng.chisquare(np.maximum(counts - 1, 1e-9))
        return counts, total, spread + total**2 / np.maximum(counts, 1.0)
