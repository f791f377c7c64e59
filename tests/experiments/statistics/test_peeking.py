"""Ten thousand looks at experiments in which nothing differs: the intervals that pages show leave out zero rarely."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bandit.types import Floats
from experiments.statistics import sequential
from experiments.statistics.moments import Estimate
from experiments.statistics.sequential import Tuning

RUNS, LOOKS, ROWS = 300, 10_000, 2
"""Experiments, looks, and rows of each variant between two looks."""
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def conversions(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Zeros and ones at a rate of 5%."""
    return (rng.random(shape, dtype=np.float32) < 0.05).astype(np.float64)


def revenue(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Log-normal amounts, 80% of them nothing."""
    return np.exp(rng.standard_normal(shape)) * (rng.random(shape, dtype=np.float32) < 0.2)


def counts(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Counts, half of them none, whose variance is more than their mean."""
    return np.floor(rng.standard_exponential(shape)) * (rng.random(shape, dtype=np.float32) < 0.5)


def means(draw: Draw, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """The mean, its squared error and the conversions at every look, (runs, looks) each."""
    values = draw(rng, shape)
    rows = ROWS * np.arange(1, shape[1] + 1)
    total, squares = values.sum(axis=2).cumsum(axis=1), (values**2).sum(axis=2).cumsum(axis=1)
    nonzero = (values != 0).sum(axis=2).cumsum(axis=1)
    variance = np.maximum(squares - total**2 / rows, 0.0) / np.maximum(rows - 1, 1)
    return total / rows, variance / rows, nonzero


@pytest.mark.parametrize("draw", [conversions, revenue, counts])
def test_a_true_null_is_rarely_left_out_at_any_of_many_looks(draw: Draw) -> None:
    """At most 5% of runs, and three standard errors, ever leave out zero: both sides, or one at the same level."""
    rng, tuning = np.random.default_rng(20261122), Tuning()
    rows = ROWS * np.arange(1, LOOKS + 1)
    widths = np.array([sequential.multiplier(2 * int(n), tuning) for n in rows])
    one_sided = np.array([sequential.one_sided_multiplier(2 * int(n), tuning) for n in rows])
    missed, worse = [], []
    for _ in range(6):
        (a, va, fa), (b, vb, fb) = (means(draw, rng, (RUNS // 6, LOOKS, ROWS)) for _ in range(2))
        shown = (rows >= sequential.MIN_ROWS) & (np.minimum(fa, fb) >= sequential.MIN_CONVERSIONS)
        error = np.sqrt(np.where(shown, va + vb, 1.0))
        missed.append((shown & (np.abs(b - a) > widths * error)).any(axis=1))
        worse.append((shown & (b - a > one_sided * error)).any(axis=1))
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
    assert np.concatenate(missed).mean() <= limit
    assert np.concatenate(worse).mean() <= limit


def test_what_was_watched_is_what_is_shown() -> None:
    """The limits of the simulation are those of the public functions."""
    estimate, tuning = Estimate(0.1, 0.04, 500), Tuning()
    assert sequential.interval(estimate, tuning).low == 0.1 - sequential.multiplier(500, tuning) * 0.2
    assert sequential.lower_limit(estimate, tuning) == 0.1 - sequential.one_sided_multiplier(500, tuning) * 0.2
