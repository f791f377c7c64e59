"""Earn or prove: how soon the best arm is proved, and what that costs, under any rule of exploration.

Thompson sampling serves batches of visitors; after each, every pair of contenders is compared by a sequence that is
valid at every look under adaptive traffic, and a proof changes how the next batch explores. The whole simulation is
vectorised over its runs; the law is the library's own quadrature, the mixture that of :mod:`bandit.exploration`.

The sequence, for arms i and j: with G_t^k = m_k + 1{A=k}·(r - m_k)/π_k, m_k the arm's shrunk mean before the batch, the
difference D_t = G_t^i - G_t^j has mean μ_i - μ_j given the past, and mean(D) ± √((V + η)·ln((V + η)/(η·a²)))/n covers
it at all n with probability 1 - a, asymptotically. V is the larger of Σ(D - mean D)² and Σ σ_i²/π_i + σ_j²/π_j, σ² the
larger of the arm's and the pooled variance; η = 4·n*·K·σ²/τ(a) with n* = 10,000, fixed at the first look with 100 rows
and 20 conversions; a = α/(K - 1). It uses nothing that only a simulation knows.

References: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv:2103.06476 (the sequence); Robins, Rotnitzky and
Zhao, JASA 89 (1994) (G). Run ``python -m bandit.simulate.proving`` for the table of the documentation.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bandit import exploration
from bandit.chance.quadrature import prob_best_beta
from bandit.types import Bools, Floats

ALPHA = 0.05
N_STAR = 10_000
MIN_ROWS, MIN_CONVERSIONS = 100, 20
TIDES: dict[str, tuple[float, Callable[[float], float]]] = {
    "steady .1": (0.1, lambda _: 1.0),
    "steady .02": (0.02, lambda _: 1.0),
    "drifting": (0.1, lambda t: 1 + 0.5 * math.sin(12 * t)),
    "three times as much for a while": (0.1, lambda t: 3.0 if 0.3 < t < 0.4 else 1.0),
    "weekly": (0.1, lambda t: 1 + 0.3 * math.sin(2 * math.pi * 7.5 * t)),
}
"""Worlds in which all arms are alike: their rate, and what it is multiplied by over time."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How to explore: ε until the proof, ε after it, and whether a beaten arm loses its share meanwhile."""

    before: float
    after: float
    drop: bool


@dataclass(frozen=True, slots=True)
class Proving:
    """What came of each run; a proof is complete when one arm beats all others.

    Parameters
    ----------
    units
        (R,) visitors until the proof, infinity where there was none.
    regret
        (R,) expected reward lost against the best arm, relative to what a uniform split would have lost; NaN where all
        arms are alike.
    beaten
        (R, K) which arms were proved beaten.
    """

    units: Floats
    regret: Floats
    beaten: Bools

    @property
    def proved(self) -> float:
        """The share of runs with a proof."""
        return float(np.isfinite(self.units).mean())

    @property
    def median(self) -> float:
        """The median of ``units``; infinity where fewer than half of the runs were proved."""
        return float(np.median(self.units))


class Contrasts:
    """Every pairwise sequence of R runs, as sums: see the module's formula.

    Parameters
    ----------
    runs, arms
        R and K.
    alpha
        How often the best arm may ever be found beaten.
    """

    def __init__(self, runs: int, arms: int, *, alpha: float = ALPHA) -> None:
        self._level = alpha / max(arms - 1, 1)
        self._tau = -2 * math.log(self._level) + math.log(1 - 2 * math.log(self._level))
        self._rows = 0
        self._n, self._hits = np.zeros((runs, arms)), np.zeros((runs, arms))
        self._sum, self._inverse = np.zeros((runs, arms)), np.zeros((runs, arms))
        self._outer = np.zeros((runs, arms, arms))
        self._eta = np.full(runs, np.nan)

    def add(self, counts: Floats, hits: Floats, p: Floats) -> None:
        """Add a batch: (R, K) rows and conversions by arm, drawn from (R, K) ``p``; arms without probability wait."""
        batch = float(counts[0].sum())
        mean = (self._hits + 0.5) / (self._n + 1)
        with np.errstate(divide="ignore"):
            inverse = np.where(p > 0, 1 / p, 0.0)
        residual = (hits - counts * mean) * inverse
        squares = (hits * (1 - mean) ** 2 + (counts - hits) * mean**2) * inverse**2
        cross = mean[:, :, None] * residual[:, None, :]
        self._sum += batch * mean + residual
        self._outer += batch * mean[:, :, None] * mean[:, None, :] + cross + cross.transpose(0, 2, 1)
        every = np.arange(counts.shape[1])
        self._outer[:, every, every] += squares
        self._inverse += batch * inverse
        self._n += counts
        self._hits += hits
        self._rows += int(batch)

    def beaten(self, contending: Bools) -> Bools:
        """Return (R, K) the contenders that another contender is proved to beat."""
        total, hits = self._n.sum(axis=1), self._hits.sum(axis=1)
        pooled = _variance(hits, total)
        ready = (total >= MIN_ROWS) & (hits >= MIN_CONVERSIONS)
        fresh = ready & np.isnan(self._eta)
        arms = self._n.shape[1]
        self._eta[fresh] = 4 * N_STAR * arms * pooled[fresh] / self._tau
        guard = np.maximum(_variance(self._hits, self._n), pooled[:, None]) * self._inverse
        diagonal = np.einsum("rkk->rk", self._outer)
        gap = self._sum[:, :, None] - self._sum[:, None, :]
        spread = diagonal[:, :, None] + diagonal[:, None, :] - 2 * self._outer - gap**2 / self._rows
        eta = self._eta[:, None, None]
        v = np.maximum(spread, guard[:, :, None] + guard[:, None, :]) + eta
        half = np.sqrt(v * np.log(v / (eta * self._level**2)))
        pairs = contending[:, :, None] & contending[:, None, :] & ready[:, None, None]
        return np.asarray((pairs & (gap > half)).any(axis=1))


def simulate_proof(
    rates: Sequence[float],
    rule: Rule,
    *,
    units: int = 60_000,
    runs: int = 200,
    batch: int = 500,
    seed: int = 1,
    tide: Callable[[float], float] = lambda _: 1.0,
) -> Proving:
    """Return what ``runs`` experiments of ``units`` visitors come to, served in batches.

    Parameters
    ----------
    rates
        (K,) conversion rates.
    rule
        How to explore.
    units, runs, batch
        Visitors of a run, runs, and visitors between two looks.
    seed
        Of all randomness.
    tide
        From the time in (0, 1] to what all rates are multiplied by then.

    >>> simulate_proof([0.1, 0.9], Rule(0.4, 0.02, drop=True), units=1000, runs=4, batch=100).proved
    1.0
    """
    rng = np.random.default_rng(seed)
    arms = len(rates)
    n, hits = np.zeros((runs, arms)), np.zeros((runs, arms))
    sums, beaten = Contrasts(runs, arms), np.zeros((runs, arms), dtype=np.bool_)
    proved_at, lost, uniform = np.full(runs, np.inf), np.zeros(runs), 0.0
    for now in range(batch, units + 1, batch):
        truth = np.array(rates) * tide(now / units)
        p = _serve(n, hits, beaten, rule)
        counts = rng.multinomial(batch, p).astype(np.float64)
        taken = rng.binomial(counts.astype(np.int64), truth).astype(np.float64)
        lost += counts @ (truth.max() - truth)
        uniform += batch * float(truth.max() - truth.mean())
        n, hits = n + counts, hits + taken
        sums.add(counts, taken, p)
        # Without dropping, all go on being compared: an arm is proved beaten as soon as any sequence says so.
        beaten = beaten | sums.beaten(~beaten if rule.drop else np.ones_like(beaten))
        done = (beaten.sum(axis=1) >= arms - 1) & ~np.isfinite(proved_at)
        proved_at[done] = now
    return Proving(proved_at, lost / uniform if uniform > 0 else np.full(runs, np.nan), beaten)


def _serve(n: Floats, hits: Floats, beaten: Bools, rule: Rule) -> Floats:
    """Return (R, K) what each run draws from now."""
    done = beaten.sum(axis=1) >= beaten.shape[1] - 1
    among = exploration.contenders(np.ones_like(beaten), beaten & rule.drop)
    law = np.zeros(n.shape)
    for run, mask in enumerate(among):
        law[run, mask] = prob_best_beta(1 + hits[run, mask], 1 + n[run, mask] - hits[run, mask])
    share = np.where(done, rule.after, rule.before)[:, None]
    p = (1 - share) * law + share * among / among.sum(axis=1, keepdims=True)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _variance(hits: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Return the shrunk variance of a conversion."""
    rate = (np.asarray(hits) + 1) / (np.asarray(n) + 2)
    return np.asarray(rate * (1 - rate))


def _table() -> None:
    """Print both worlds under every rule, and how often anything is found beaten where there is no difference."""
    rules = {
        ".05 (earn)": Rule(0.05, 0.05, drop=False),
        ".2 constant": Rule(0.2, 0.2, drop=False),
        ".4 constant": Rule(0.4, 0.4, drop=False),
        ".4, then .02": Rule(0.4, 0.02, drop=False),
        ".4, beaten dropped, then .02": Rule(0.4, 0.02, drop=True),
        ".7, beaten dropped, then .02": Rule(0.7, 0.02, drop=True),
    }
    worlds = {"K=4": [0.13, 0.1, 0.1, 0.1], "K=10": [0.13] + [0.1] * 9}
    write = sys.stdout.write
    for world, rates in worlds.items():
        write(f"\n{world:30} proved   median   regret (s.e.)   the best beaten\n")
        for name, rule in rules.items():
            result = simulate_proof(rates, rule)
            error = result.regret.std() / math.sqrt(len(result.regret))
            wrong = result.beaten[:, 0].mean()
            write(f"{name:30} {result.proved:6.1%} {result.median:8,.0f} {result.regret.mean():8.3f} ({error:.3f})")
            write(f" {wrong:14.1%}\n")
    write("\nno difference, K=4              proved   a given arm beaten   any arm beaten\n")
    for name, (rate, tide) in TIDES.items():
        result = simulate_proof([rate] * 4, rules[".4, beaten dropped, then .02"], runs=300, tide=tide)
        given, anybody = result.beaten[:, 0].mean(), result.beaten.any(axis=1).mean()
        write(f"{name:30} {result.proved:6.1%} {given:19.1%} {anybody:16.1%}\n")


if __name__ == "__main__":
    _table()
