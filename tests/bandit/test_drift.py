"""The change detector: it finds what changed, and cries wolf no more often than it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bandit.drift import PLACES, history, remember, rises, threshold, watch
from bandit.validation import InvalidInput


def test_false_alarms_stay_below_their_bound() -> None:
    """Of 200 sequences without change fewer than promised ever raise an alarm: binary, uniform, constant."""
    rng = np.random.default_rng(0)
    draws = [lambda: (rng.random(1000) < 0.3).astype(float), lambda: rng.random(1000), lambda: np.full(1000, 0.4)]
    alarms = sum(len(rises(draws[i % 3](), false_alarms=0.1)) > 0 for i in range(200))
    # Binomial(200, .1) exceeds 33 with probability .002.
    assert alarms <= 33


def test_falls_are_no_alarm() -> None:
    """A forecaster that learns makes ever smaller losses."""
    assert rises(np.r_[np.ones(500), np.zeros(500)]) == []


@pytest.mark.parametrize(("before", "after", "within"), [(0.02, 0.9, 20), (0.1, 0.5, 150), (0.1, 0.2, 2000)])
def test_rises_are_found_soon(before: float, after: float, within: int) -> None:
    """The larger the rise the sooner, once, and never before it."""
    rng = np.random.default_rng(1)
    values = np.r_[rng.random(3000) < before, rng.random(3000) < after].astype(float)
    found = rises(values)
    assert len(found) == 1
    assert 3000 <= found[0] < 3000 + within


def test_several_changes_are_found() -> None:
    """The history begins anew after each."""
    levels = np.repeat([0.05, 0.4, 0.95], 1000)
    found = rises((np.random.default_rng(2).random(3000) < levels).astype(float))
    assert [at // 1000 for at in found] == [1, 2]


def test_the_threshold_solves_its_equation() -> None:
    """(1 + y)e^-y is the chance that was asked for."""
    for chance in (0.5, 1e-3, 1e-12):
        y = threshold(chance) - 2 * math.log(2)
        assert (1 + y) * math.exp(-y) == pytest.approx(chance, rel=1e-9)


def test_buckets_hold_every_value_once() -> None:
    """Sums and counts of all buckets are those of the sequence, in logarithmically many of them."""
    kept, values = history(), np.random.default_rng(3).random(5000)
    for value in values:
        remember(kept, value)
    places = kept[:, 0]
    assert (places * 2.0 ** np.arange(len(places))).sum() == 5000
    assert kept[:, 1:].sum() == pytest.approx(values.sum())
    assert places.max() <= PLACES
    assert places.sum() <= PLACES * 13


def test_any_number_of_values_ends() -> None:
    """Zeros, ones and the first values do not trip it."""
    kept = history()
    assert [watch(kept, value, 0.01) for value in (0.0, 0.0, 1.0, 1.0)] == [False] * 4
    assert rises(np.zeros(3)) == rises(np.ones(3)) == rises(np.zeros(0)) == []


@pytest.mark.parametrize("values", [np.array([0.5, 1.5]), np.array([-0.1]), np.array([np.nan])])
def test_values_outside_of_the_unit_interval_are_refused(values: np.ndarray) -> None:
    """Its bound holds for no others."""
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        rises(values)
    with pytest.raises(InvalidInput, match="false_alarms"):
        rises(np.zeros(3), false_alarms=0.0)
