"""Worlds whose rewards come late: what each way of learning sends away from the best arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bandit.delays import Delays
from bandit.forgetting import HOUR
from bandit.policy import SumPolicy
from bandit.types import Batch, Bools, Floats, Ints
from bandit.validation import require


class Learning(StrEnum):
    """When a row is learned."""

    AT_ONCE = "at once"
    """With its final reward, in the next hour: as if rewards came without delay. What the others are measured by."""
    MATURED = "matured"
    """When its window has closed."""
    OPEN = "open"
    """When its window has closed, and before by the law of delays (:mod:`bandit.delays`)."""
    EARLY = "early"
    """With what is seen at one early age, and never again: it must not be done, and here is why."""


@dataclass(frozen=True, slots=True, eq=False)
class DelayedWorld:
    """Visitors who convert or not, and if so some time later.

    Parameters
    ----------
    rates
        (K,) probability that a visitor who is shown an arm converts within the window. The best is the largest.
    delays
        (K,) hours: a conversion's delay is exponential with this mean, cut off at the window.
    window
        Hours after which no reward comes any more.
    visitors
        A visitor number an hour; the policy is asked once an hour.
    hours
        How long it runs.
    early
        Hours after which :attr:`Learning.EARLY` looks.
    """

    rates: Floats
    delays: Floats
    window: float = 24.0
    visitors: int = 100
    hours: int = 240
    early: float = 1.0

    def __post_init__(self) -> None:
        shaped = self.rates.ndim == 1 and self.rates.shape == self.delays.shape and len(self.rates) > 1
        require(shaped, f"rates and delays must be one of each arm, found {self.rates.shape} and {self.delays.shape}")
        require(bool(((self.rates >= 0) & (self.rates <= 1)).all()), "rates must lie in [0, 1]")
        require(bool((self.delays > 0).all()), "delays must be positive")
        require(0 < self.early <= self.window, "early must lie within the window")
        require(self.visitors > 0 and self.hours > 0, "there must be visitors and hours")


@dataclass(frozen=True, slots=True)
class DelayedRun:
    """One seed's outcome."""

    seed: int
    away: float
    """Share of the whole traffic that was not sent to the best arm."""
    wrong: bool
    """Whether another arm had the largest share in the last hour."""


@dataclass(frozen=True, slots=True)
class DelayedSimulation:
    """What a way of learning came to."""

    learning: Learning
    runs: tuple[DelayedRun, ...]

    @property
    def away(self) -> float:
        """Mean over the seeds of the share that was sent away from the best arm."""
        return float(np.mean([run.away for run in self.runs]))

    @property
    def away_error(self) -> float:
        """Standard error of :attr:`away`."""
        return float(np.std([run.away for run in self.runs], ddof=1) / np.sqrt(len(self.runs)))

    @property
    def wrong(self) -> float:
        """Share of the seeds in which another arm won."""
        return float(np.mean([run.wrong for run in self.runs]))


def simulate_delayed(
    policy: Callable[[], SumPolicy], world: DelayedWorld, *, learning: Learning, seeds: Sequence[int]
) -> DelayedSimulation:
    """Let a policy without context play a world whose rewards come late, once a seed.

    The same seed draws the same visitors for each way of learning.

    >>> from bandit.policies import create
    >>> from bandit.types import Arms
    >>> world = DelayedWorld(np.array([0.0, 1.0]), np.array([1.0, 1.0]), hours=3)
    >>> cold = lambda: create("thompson", arms=Arms(("a", "b")))
    >>> simulate_delayed(cold, world, learning=Learning.MATURED, seeds=[0]).runs
    (DelayedRun(seed=0, away=0.5, wrong=False),)
    """
    require(len(seeds) > 0, "there must be a seed")
    return DelayedSimulation(learning, tuple(_Play(policy(), world, learning, seed).run() for seed in seeds))


class _Play:
    """One run: all rows so far, and what was learned of them."""

    def __init__(self, policy: SumPolicy, world: DelayedWorld, learning: Learning, seed: int) -> None:
        require(len(policy.arms) == len(world.rates), f"the policy must have {len(world.rates)} arms")
        self._policy, self._world, self._learning, self._seed = policy, world, learning, seed
        rows = world.visitors * world.hours
        self._uniforms = np.random.default_rng(seed).random((3, rows))
        self._times = (np.arange(rows) * (HOUR / world.visitors)).astype(np.int64)
        self._arms = np.zeros(rows, dtype=np.int64)
        self._converts = np.zeros(rows, dtype=np.bool_)
        self._delays = np.zeros(rows, dtype=np.int64)
        self._law = Delays.none(round(world.window * HOUR))
        self._learned = 0

    def run(self) -> DelayedRun:
        best, away = int(np.argmax(self._world.rates)), 0.0
        for hour in range(self._world.hours):
            now = hour * HOUR
            self._learn(now)
            share = self._answer(now)
            away += 1.0 - share[best]
            self._visit(hour, share)
        return DelayedRun(self._seed, float(away / self._world.hours), bool(share.max() > share[best]))

    def _visit(self, hour: int, share: Floats) -> None:
        """Draw an hour's visitors, what they see, whether they convert and when."""
        new = slice(hour * self._world.visitors, (hour + 1) * self._world.visitors)
        drawn, converts, late = self._uniforms[:, new]
        cumulative = np.cumsum(share)
        arms = np.searchsorted(cumulative, drawn * cumulative[-1], side="right")
        mean, window = self._world.delays[arms], self._world.window
        self._arms[new] = arms
        self._converts[new] = converts < self._world.rates[arms]
        self._delays[new] = -mean * np.log1p(late * np.expm1(-window / mean)) * HOUR

    def _learn(self, now: int) -> None:
        """Learn the rows whose time has come, and how long their rewards took."""
        wait = {Learning.AT_ONCE: 0.0, Learning.EARLY: self._world.early}.get(self._learning, self._world.window)
        until = int(np.searchsorted(self._times[: self._logged(now)], now - wait * HOUR, side="right"))
        rows = slice(self._learned, until)
        seen = self._converts[rows]
        if self._learning is Learning.EARLY:
            seen = seen & (self._delays[rows] <= self._world.early * HOUR)
        self._policy.learn(self._batch(rows, seen))
        paid = self._delays[rows][seen]
        self._law = self._law.add(paid, np.ones(len(paid)))
        self._learned = until

    def _answer(self, now: int) -> Floats:
        policy, rows = self._policy, slice(self._learned, self._logged(now))
        if self._learning is Learning.OPEN:
            ages: Ints = now - self._times[rows]
            seen = self._converts[rows] & (self._delays[rows] <= ages)
            law = self._law.add(self._delays[rows][seen], np.ones(int(seen.sum())), ages[seen])
            if law.known:
                policy = policy.with_provisional(self._batch(rows, seen), law.seen(ages))
        return np.asarray(policy.distribution()[0])

    def _logged(self, now: int) -> int:
        return now // HOUR * self._world.visitors

    def _batch(self, rows: slice, seen: Bools) -> Batch:
        arms = self._arms[rows]
        return Batch(
            contexts=np.zeros((len(arms), 0)),
            arms=arms,
            rewards=seen.astype(np.float64),
            distributions=np.full((len(arms), len(self._world.rates)), 1 / len(self._world.rates)),
            times=self._times[rows],
            weights=np.ones(len(arms)),
        )
