"""Many experiments at once under a real policy: how often a shown interval ever missed the truth, and how wide it was.

Visitors come in batches, each served by one version of the policy, as the keeper publishes them. After each batch
everybody looks: the doubly robust limits of every variant, of uniform traffic and of what was served, and of every pair
of them. A run has missed where any look at any time left out the running average of the true rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bandit import policies
from bandit.features import Schema
from bandit.policy import Policy
from bandit.types import Arms, Batch, Bools, Floats, Ints
from experiments.statistics.adaptive.inference import Limits, contrasts, means
from experiments.statistics.adaptive.plugins import ArmMeans, Plugin, Ridge, feed
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.sequential import ALPHA
from tests.validity.worlds import World

BELIEVED = 0.95
"""From this chance to be best on, products that show beliefs declare a winner."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated: ``runs`` experiments of ``rows`` visitors, ``batch`` between two versions and looks."""

    world: World
    policy: str
    exploration: float
    rows: int = 10_000
    batch: int = 100
    runs: int = 400
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Validity:
    """What came of it; K variants, pairs of T = K + 2 targets.

    Parameters
    ----------
    missed_means, missed_pairs
        (T,) and (T, T) share of runs in which a shown interval ever missed the truth.
    naive_missed
        (K,) share in which the plain interval around the sample mean did.
    false_best, right_best
        Share of runs that ever proved a variant best that was not so on average, and the one that was.
    believed
        Share of runs in which some variant's chance to be best ever reached 95%, for the first visitor of a batch.
    width
        (K,) width of the interval at the end, in widths of the plain one: medians over runs.
    bias, bias_error
        (K,) mean of estimate less truth at the end, and its standard error.
    runs
        How many.
    """

    missed_means: Floats
    missed_pairs: Floats
    naive_missed: Floats
    false_best: float
    right_best: float
    believed: float
    width: Floats
    bias: Floats
    bias_error: Floats
    runs: int

    @property
    def bar(self) -> float:
        """5% and three standard errors of such a share."""
        return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / self.runs)


def simulate(setting: Setting) -> Validity:
    """Play it out."""
    runs = _Runs(setting)
    for start in range(0, setting.rows, setting.batch):
        runs.serve(np.arange(start, min(start + setting.batch, setting.rows)))
        runs.look()
    return runs.verdict()


class _Runs:
    """All runs, side by side: lanes of sums, and a policy each."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._world = setting.world
        self._rng = np.random.default_rng(setting.seed)
        lanes, arms = setting.runs, setting.world.arms
        self._policies = [_policy(setting, seed) for seed in range(lanes)]
        self._contextual = self._policies[0].schema.width > 0
        self._sums = AdaptiveSums.cold(arms, lanes=(lanes,))
        self._plugins: list[Plugin] = (
            [Ridge(arms, 1) for _ in range(lanes)] if self._contextual else [ArmMeans(arms, lanes=(lanes,))]
        )
        self._truth, self._rows = np.zeros((lanes, arms + 2)), 0
        self._pulls, self._hits = np.zeros((2, lanes, arms))
        self._missed_means = np.zeros((lanes, arms + 2), dtype=np.bool_)
        self._missed_pairs = np.zeros((lanes, arms + 2, arms + 2), dtype=np.bool_)
        self._naive = np.zeros((lanes, arms), dtype=np.bool_)
        self._false, self._right, self._believed = np.zeros((3, lanes), dtype=np.bool_)

    def serve(self, places: Ints) -> None:
        """Let the visitors of these places come, in every run, and let policies and sums learn them."""
        setting, lanes = self._setting, self._setting.runs
        segment = self._rng.integers(0, self._world.segments, (lanes, len(places)))
        rates = self._world.rates((places + 1) / setting.rows, segment)
        features = segment[..., None].astype(np.float64)
        p = np.stack([_asked(policy, features[lane]) for lane, policy in enumerate(self._policies)])
        drawn, paid = self._rng.random((2, lanes, len(places)))
        edges = np.cumsum(p, axis=-1)
        chosen = (drawn[..., None] * edges[..., -1:] >= edges).sum(axis=-1)
        outcomes = (paid < np.take_along_axis(rates, chosen[..., None], axis=-1)[..., 0]).astype(np.float64)
        self._believe(p)
        self._learn(features, chosen, outcomes, p)
        self._truth[:, :-2] += rates.sum(axis=1)
        self._truth[:, -2] += rates.mean(axis=-1).sum(axis=1)
        self._truth[:, -1] += (rates * p).sum(axis=(1, 2))
        self._rows += len(places)

    def look(self) -> None:
        """Look at everything that a page shows, and note what missed."""
        truth = self._truth / self._rows
        found, pairs = means(self._sums), contrasts(self._sums)
        self._missed_means |= _misses(found, truth)
        self._missed_pairs |= _misses(pairs, truth[:, :, None] - truth[:, None, :])
        arms = self._world.arms
        mean, half = self._naively()
        self._naive |= np.abs(mean - truth[:, :arms]) > half
        level = ALPHA / (arms - 1)
        better = contrasts(self._sums, alpha=level).low[:, :arms, :arms] > 0
        best = (better | np.eye(arms, dtype=np.bool_)).all(axis=2)
        top = truth[:, :arms] >= truth[:, :arms].max(axis=1, keepdims=True) - 1e-12
        alone = top.sum(axis=1, keepdims=True) == 1
        self._right |= (best & top & alone).any(axis=1)
        self._false |= (best & ~(top & alone)).any(axis=1)

    def verdict(self) -> Validity:
        """Return what came of it."""
        arms, lanes = self._world.arms, self._setting.runs
        found, (_, half) = means(self._sums), self._naively()
        error = found.estimate[:, :arms] - self._truth[:, :arms] / self._rows
        width = np.where(found.shown[:, :arms], found.high[:, :arms] - found.low[:, :arms], np.inf)
        return Validity(
            missed_means=self._missed_means.mean(axis=0),
            missed_pairs=self._missed_pairs.mean(axis=0),
            naive_missed=self._naive.mean(axis=0),
            false_best=float(self._false.mean()),
            right_best=float(self._right.mean()),
            believed=float(self._believed.mean()),
            width=np.median(width / (2 * half), axis=0),
            bias=error.mean(axis=0),
            bias_error=error.std(axis=0) / math.sqrt(lanes),
            runs=lanes,
        )

    def _learn(self, features: Floats, chosen: Ints, outcomes: Floats, p: Floats) -> None:
        if self._contextual:
            for lane, plugin in enumerate(self._plugins):
                told = {"chosen": chosen[lane], "outcomes": outcomes[lane, :, None], "p": p[lane]}
                feed(self._sums.lane(lane), plugin, **told, features=features[lane])
        else:
            feed(self._sums, self._plugins[0], chosen=chosen, outcomes=outcomes[..., None], p=p, features=features)
        for lane, policy in enumerate(self._policies):
            policy.learn(_batch(features[lane, :, : policy.schema.width], chosen[lane], outcomes[lane], p[lane]))
        for k in range(self._world.arms):
            self._pulls[:, k] += (chosen == k).sum(axis=1)
            self._hits[:, k] += (outcomes * (chosen == k)).sum(axis=1)

    def _believe(self, p: Floats) -> None:
        """Note who is believed to be best: what the policy answers, its uniform share taken out."""
        share = self._setting.exploration
        law = (p[:, 0] - share / self._world.arms) / (1 - share)
        self._believed |= law.max(axis=1) >= BELIEVED

    def _naively(self) -> tuple[Floats, Floats]:
        """(lanes, K) sample means and the half widths of their plain 95% intervals."""
        pulls = np.maximum(self._pulls, 1.0)
        mean = self._hits / pulls
        shrunk = (self._hits + 1) / (pulls + 2)
        return mean, 1.959964 * np.sqrt(shrunk * (1 - shrunk) / pulls)


def _policy(setting: Setting, seed: int) -> Policy:
    seeded = {"seed": seed} if setting.policy == "auto" else {}
    arms = Arms(tuple(f"v{k}" for k in range(setting.world.arms)))
    # A policy that reads contexts is told a segment, be it of no meaning; the others are told nothing.
    width = int(setting.policy != "thompson" and (setting.policy != "auto" or setting.world.segments > 1))
    schema = Schema.numeric(width)
    return policies.create(setting.policy, arms=arms, schema=schema, exploration=setting.exploration, **seeded)


def _asked(policy: Policy, features: Floats) -> Floats:
    """(n, K) the distributions of a batch."""
    if policy.schema.width > 0:
        return policy.distribution(features)
    return np.broadcast_to(policy.distribution(), (len(features), len(policy.arms)))


def _batch(contexts: Floats, chosen: Ints, outcomes: Floats, p: Floats) -> Batch:
    n = len(chosen)
    return Batch(contexts, chosen, outcomes, p, np.zeros(n, dtype=np.int64), np.ones(n))


def _misses(found: Limits, truth: Floats) -> Bools:
    return found.shown & ((truth < found.low) | (truth > found.high))
