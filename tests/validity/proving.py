"""Earn or prove: how soon the best variant is proved, and what that costs, under any rule of exploration.

Thompson sampling serves batches of visitors; after each, every pair of contenders is compared by the product's own sums
and sequences, and a proof changes how the next batch explores. ``python -m tests.validity.proving`` prints the table of
the documentation; for one's own rates ``landit plan --bandit`` answers sooner.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bandit import exploration
from bandit.chance.quadrature import prob_best_beta
from bandit.types import Bools, Floats
from experiments.statistics.adaptive.inference import contrasts
from experiments.statistics.planning.batches import Batches
from experiments.statistics.sequential import ALPHA

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
    sums, beaten = Batches(runs, arms), np.zeros((runs, arms), dtype=np.bool_)
    proved_at, lost, uniform = np.full(runs, np.inf), np.zeros(runs), 0.0
    for now in range(batch, units + 1, batch):
        truth = np.array(rates) * tide(now / units)
        p = _serve(n, hits, beaten, rule)
        counts = rng.multinomial(batch, p).astype(np.float64)
        taken = rng.binomial(counts.astype(np.int64), truth).astype(np.float64)
        lost += counts @ (truth.max() - truth)
        uniform += batch * float(truth.max() - truth.mean())
        n, hits = n + counts, hits + taken
        sums.add(counts, taken, taken, p, rewarded=taken)
        # Without dropping, all go on being compared: an arm is proved beaten as soon as any sequence says so.
        beaten = beaten | _beaten(sums, ~beaten if rule.drop else np.ones_like(beaten))
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


def _beaten(sums: Batches, contending: Bools) -> Bools:
    """Return (R, K) the contenders that another contender is proved to beat."""
    arms = contending.shape[1]
    better = contrasts(sums.sums, alpha=ALPHA / (arms - 1)).low[:, :arms, :arms] > 0
    return np.asarray((better & contending[:, :, None] & contending[:, None, :]).any(axis=1))


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
