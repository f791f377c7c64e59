"""Fixed splits without a difference, looked at ten thousand times: how often any look claims one.

Runs are vectorised: cumulative sums at every look, one multiplier of the public sequence a look. :func:`scalar_check`
holds the same looks of single runs against the public functions that a page calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bandit.types import Bools, Floats
from experiments.statistics import sequential
from experiments.statistics.moments import MIN_ROWS, Missing, Moments
from experiments.statistics.sequential import MIN_CONVERSIONS, Tuning

TUNING = Tuning()
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def _conversions(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return (rng.random(shape) < 0.05).astype(np.float64)


def _revenue(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.where(rng.random(shape) < 0.2, rng.lognormal(0.0, 1.0, shape), 0.0)


def _counts(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Counts with twice the variance that a Poisson law of mean .5 would have."""
    return rng.poisson(rng.gamma(0.5, 1.0, shape)).astype(np.float64)


METRICS: dict[str, tuple[Draw, float]] = {
    "conversion": (_conversions, 0.05),
    "revenue, 80% zeros": (_revenue, 0.2 * math.exp(0.5)),
    "counts": (_counts, 0.5),
}
"""How each metric is drawn, and its mean."""


@dataclass(frozen=True, slots=True)
class Peeking:
    """Share of runs that ever missed: of the mean of a variant, of the difference (and lift), of the plain interval."""

    runs: int
    mean: float
    difference: float
    plain: float

    @property
    def bar(self) -> float:
        """5% and three standard errors."""
        return 0.05 + 3 * math.sqrt(0.05 * 0.95 / self.runs)


def peek(metric: str, *, runs: int, rows: int = 100_000, looks: int = 10_000, seed: int = 1, part: int = 50) -> Peeking:
    """Let ``runs`` A/A tests of ``rows`` visitors be looked at ``looks`` times each."""
    draw, truth = METRICS[metric]
    rng = np.random.default_rng(seed)
    missed = np.zeros(3)
    for start in range(0, runs, part):
        lanes = min(part, runs - start)
        missed += [found.sum() for found in _missed(_looks(draw, rng, (lanes, rows // 2), looks), truth)]
    mean, difference, plain = (missed / runs).tolist()
    return Peeking(runs, mean, difference, plain)


def width_at_n_star(rate: float = 0.05) -> float:
    """The width of the difference's limits at n = n*, in widths of a plain 95% interval."""
    half = int(TUNING.n_star) // 2
    a = sequential.estimate_mean(Moments.binary(rows=half, conversions=round(half * rate)))
    assert not isinstance(a, Missing)
    difference = sequential.difference(a, a)
    found = sequential.interval(difference, TUNING)
    return (found.high - found.low) / (2 * 1.959964 * difference.standard_error)


def scalar_check(
    metric: str, *, rows: int = 20_000, looks: int = 200, seed: int = 3
) -> Iterator[tuple[bool, bool, bool | None]]:
    """Of every look at one run: whether here, the public interval, and the public lift (if shown) leave out zero."""
    draw, _ = METRICS[metric]
    sums = _looks(draw, np.random.default_rng(seed), (1, rows // 2), looks)
    for n, total, squares, nonzero in zip(*sums, strict=True):
        here = bool(_missed((np.array([n]), total[None], squares[None], nonzero[None]), 0.0)[1][0])
        a, b = (
            sequential.estimate_mean(Moments(int(n), float(total[0, k]), float(squares[0, k]), int(nonzero[0, k])))
            for k in range(2)
        )
        if isinstance(a, Missing) or isinstance(b, Missing):
            yield here, False, None
            continue
        found = sequential.interval(sequential.difference(a, b), TUNING)
        lift = sequential.relative_lift(a, b, TUNING)
        yield (
            here,
            not found.low <= 0 <= found.high,
            None if isinstance(lift, Missing) else not lift.low <= 0 <= lift.high,
        )


def _looks(draw: Draw, rng: np.random.Generator, shape: tuple[int, int], looks: int) -> tuple[Floats, ...]:
    """(L,) rows a variant, then (L, runs, 2) sums, sums of squares and numbers of non-zero outcomes at every look."""
    lanes, rows = shape
    values = draw(rng, (looks, rows // looks, lanes, 2))
    n = (np.arange(looks) + 1) * (rows // looks)
    return n, *(np.cumsum(part.sum(axis=1), axis=0) for part in (values, values**2, (values != 0).astype(np.float64)))


def _missed(sums: tuple[Floats, ...], truth: float) -> tuple[Bools, Bools, Bools]:
    """Of each run whether any look missed: a variant's mean, the difference, the difference by a plain interval."""
    n, total, squares, nonzero = sums
    rows = n[:, None, None]
    mean = total / rows
    variance = (squares - total * mean) / (rows - 1) / rows
    binary = (total == squares) & (total == nonzero)
    variance = np.where(binary, mean * (1 - mean) / rows, variance)
    # Pages give no mean a smaller variance than all variants have together, but for zeros and ones.
    floored = np.where(binary, variance, np.maximum(variance, variance.mean(axis=2, keepdims=True)))
    enough = (rows >= MIN_ROWS) & (nonzero >= MIN_CONVERSIONS) & (~binary | (rows - nonzero >= MIN_CONVERSIONS))
    single = np.array([sequential.multiplier(int(rows), TUNING) for rows in n])
    double = np.array([sequential.multiplier(int(2 * rows), TUNING) for rows in n])
    own = enough & (np.abs(mean - truth) > single[:, None, None] * np.sqrt(floored))
    both, error = enough.all(axis=2), np.sqrt(variance.sum(axis=2))
    gap = np.abs(mean[..., 1] - mean[..., 0])
    missed = both & (gap > double[:, None] * error)
    return own[..., 0].any(axis=0), missed.any(axis=0), (both & (gap > 1.959964 * error)).any(axis=0)
