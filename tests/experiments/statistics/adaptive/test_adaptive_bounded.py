"""The audit line: limits that hold without large numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from bandit.validation import InvalidInput
from experiments.statistics.adaptive.bounded import BoundedSums, log_wealth, lower_limits


def stream(n: int, *, seed: int = 0, lanes: int = 1) -> tuple[Any, ...]:
    """Rewards .2 and .6 under probabilities that wander down to .01, with zeros for a third variant."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.01, 0.99, (lanes, n))
    p = np.stack([share, 1 - share, 0 * share], axis=-1)
    chosen = (rng.random((lanes, n)) > share).astype(np.int64)
    rewards = (rng.random((lanes, n)) < np.where(chosen == 0, 0.2, 0.6)).astype(np.float64)
    return chosen, rewards, p, rng.uniform(0, 1, (lanes, n, 3))


def filled(batch: tuple[Any, ...], **keywords: Any) -> BoundedSums:
    """The sums of a batch."""
    sums = BoundedSums.cold(3, lanes=(len(batch[0]),), **keywords)
    sums.add(*batch)
    return sums


def test_limits_are_those_of_the_definition() -> None:
    """The scores written out, and the root by another method, give the same limits."""
    chosen, rewards, p, m = (array[0] for array in stream(800))
    found = filled(stream(800)).limits()
    for a in (0, 1):
        ends = []
        for r, forecast in ((rewards, m[:, a]), (1 - rewards, 1 - m[:, a])):
            q = np.minimum(forecast, 9 * p[:, a])
            xi = (q + (chosen == a) / p[:, a] * (r - q)) / 10
            guess = np.minimum((np.r_[0, xi.cumsum()[:-1]] + 0.05) / np.arange(1, 801), 0.1)
            v = ((xi - guess) ** 2).sum()
            total = float(xi.sum())
            ends.append(brentq(lambda mu, s=total, v=v: log_wealth(s - 80 * mu, v) - np.log(40), 0, total / 80))
        assert found.low[0, a] == pytest.approx(ends[0])
        assert found.high[0, a] == pytest.approx(1 - ends[1])
    assert found.shown[0].tolist() == [True, True, False]


def test_the_truth_is_hardly_ever_missed() -> None:
    """In 200 runs looked at every 50 rows, under probabilities down to .01, not in one in twenty."""
    chosen, rewards, p, m = stream(1000, lanes=200)
    sums, missed = BoundedSums.cold(3, lanes=(200,)), np.zeros((200, 2), dtype=bool)
    for start in range(0, 1000, 50):
        stop = start + 50
        sums.add(chosen[:, start:stop], rewards[:, start:stop], p[:, start:stop], m[:, start:stop])
        found = sums.limits()
        missed |= (found.low[:, :2] > [0.2, 0.6]) | (found.high[:, :2] < [0.2, 0.6])
    assert missed.mean(axis=0).max() <= 0.05
    assert (found.high - found.low)[:, :2].max() < 0.7


def test_portions_units_and_lanes_do_not_matter() -> None:
    """Row by row, in other units or one lane alone: the same line."""
    batch = stream(200, lanes=2)
    whole, parts = filled(batch), BoundedSums.cold(3, lanes=(2,))
    for t in range(200):
        parts.add(*(array[:, t : t + 1] for array in batch))
    chosen, rewards, p, m = batch
    other = filled((chosen, 4 * rewards - 1, p, 4 * m - 1), low=-1.0, high=3.0)
    single = BoundedSums.cold(3)
    single.add(*(array[1] for array in batch))
    for name in ("rows", "first", "spread"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
        assert np.array_equal(getattr(whole, name)[1], getattr(single, name))
    for name in ("estimate", "low", "high"):
        expected = np.where(whole.limits().shown, 4 * getattr(whole.limits(), name) - 1, getattr(whole.limits(), name))
        np.testing.assert_allclose(getattr(other.limits(), name), expected, atol=1e-9)


def test_variants_come_and_go() -> None:
    """What is known of one stays with it; stored arrays come back."""
    sums = filled(stream(300))
    wider = sums.widened([1, None, 0])
    assert wider.limits().low[0, [0, 2]].tolist() == sums.limits().low[0, [1, 0]].tolist()
    assert not wider.limits().shown[0, 1]
    again = BoundedSums.from_arrays(wider.to_arrays())
    assert np.array_equal(again.limits().high, wider.limits().high)
    for arrays in ({}, wider.to_arrays() | {"first": np.zeros(2)}):
        with pytest.raises(InvalidInput):
            BoundedSums.from_arrays(arrays)


def test_nothing_is_not_a_number() -> None:
    """No row, one row, only zeros, only ones, tiny probabilities, damaged sums."""
    half, forecast = np.full((50, 2), 0.5), np.zeros((50, 2))
    for rewards in (np.zeros(50), np.ones(50)):
        for rows in (0, 1, 50):
            sums = BoundedSums.cold(2)
            sums.add(np.zeros(rows, int), rewards[:rows], half[:rows], forecast[:rows])
            check(sums)
    sums = BoundedSums.cold(2)
    sums.add(np.zeros(50, int), np.ones(50), np.tile([1e-300, 1.0], (50, 1)), forecast)
    check(sums)
    for name, array in filled(stream(50)).to_arrays().items():
        for bad in (np.nan, np.inf):
            check(BoundedSums.from_arrays(filled(stream(50)).to_arrays() | {name: np.full_like(array, bad)}))


def check(sums: BoundedSums) -> None:
    """Check that no limit is what is not a number."""
    found = sums.limits()
    for name in ("estimate", "low", "high", "variance", "rows"):
        assert not np.isnan(getattr(found, name)).any(), name
    assert (found.low <= found.high).all()


def test_plain_weighting_is_the_known_interval() -> None:
    """Without forecasts the limits are those of the gamma-exponential bound, which one reward moves up."""
    assert lower_limits(1000, 300.0, 210.0, truncation=0.0) < lower_limits(1000, 301.0, 210.0, truncation=0.0)
    assert lower_limits(10, 0.0, 0.0, truncation=0.0) == 0


def test_a_wrong_row_is_refused() -> None:
    """Rewards out of bounds, wrong shapes, a variant without probability: nothing is added."""
    chosen, rewards, p, m = (array[0] for array in stream(5))
    sums = BoundedSums.cold(3)
    for batch in (
        (chosen, rewards + 2, p, m),
        (chosen, np.full(5, np.nan), p, m),
        (chosen, rewards, -p, m),
        (np.full(5, 2), rewards, p, m),
        (np.full(5, 3), rewards, p, m),
        (chosen[:4], rewards, p, m),
        (chosen, rewards, p[:, :2], m),
        (chosen, rewards, p, m[:, :2]),
    ):
        with pytest.raises(InvalidInput):
            sums.add(*batch)
    assert sums.rows.sum() == 0
    with pytest.raises(InvalidInput, match="low must be below high"):
        BoundedSums.cold(2, low=1.0, high=1.0)
