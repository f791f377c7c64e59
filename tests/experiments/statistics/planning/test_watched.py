from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.planning.fixed import sample_size
from experiments.statistics.planning.watched import crossing, sample_size_watched, waiting
from experiments.statistics.sequential import Tuning, multiplier, tau


def simulated(drift: float, *, alpha: float, horizon: float, looks: int, runs: int = 20_000) -> np.ndarray:
    """When each of many random walks first crosses the boundary, in n*; infinity where it does not."""
    rng, eta, step = np.random.default_rng(6), 1 / tau(alpha), 1 / looks
    walk, crossed = np.zeros(runs), np.full(runs, np.inf)
    for look in range(1, int(horizon * looks) + 1):
        time = look * step
        walk += rng.normal(drift * step, math.sqrt(step), runs)
        bound = math.sqrt((time + eta) * math.log((time + eta) / (eta * alpha**2)))
        crossed[(np.abs(walk) >= bound) & np.isinf(crossed)] = time
    return crossed


def test_agrees_with_simulated_random_walks() -> None:
    """With 50 looks up to n*, crossing times are those of 20,000 walks within four standard errors, at every time."""
    crossed = simulated(2.8016, alpha=0.05, horizon=2.5, looks=50)
    times, proved = crossing(2.8016, alpha=0.05, horizon=2.5, step=1 / 50)
    for time in (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5):
        assert np.interp(time, times, proved) == pytest.approx(np.mean(crossed <= time + 1e-9), abs=0.014)


def test_reproduces_the_measured_factors() -> None:
    """For 80%, 90% power: 1.64, 2.09 times the rows of a test read once; 54% at its own; stopping at .98 on average."""
    once = sample_size(0.1, [4.0, 4.0])
    within = waiting(0.1, [4.0, 4.0], horizon=4 * once)
    assert within.until(0.8) / once == pytest.approx(1.64, abs=0.01)
    assert within.until(0.9) / once == pytest.approx(2.09, abs=0.015)
    assert within.at(once) == pytest.approx(0.54, abs=0.015)
    assert within.mean(within.until(0.8)) / once == pytest.approx(0.98, abs=0.015)
    assert sample_size_watched(0.1, [4.0, 4.0]) == pytest.approx(within.until(0.8), rel=0.01)
    for part in (0.25, 0.5, 1.5):
        assert 1.6 < sample_size_watched(0.1, [4.0, 4.0], n_star=part * once) / once < 1.77


def test_the_boundary_is_that_of_the_sequence() -> None:
    """Where the expected difference meets the interval's limit, half of the experiments have their proof, or more."""
    once = sample_size(0.1, [4.0, 4.0])
    times = np.linspace(0.2, 4, 2_000) * once
    halves = [multiplier(int(n), Tuning(n_star=once)) * math.sqrt(16 / n) for n in times]
    meet = times[np.argmax(np.array(halves) < 0.1)]
    assert 0.5 < waiting(0.1, [4.0, 4.0], horizon=4 * once).at(meet) < 0.65


@settings(max_examples=25)
@given(st.floats(0.01, 10), st.floats(0.001, 0.2), st.floats(0.5, 0.95), st.integers(2, 6))
def test_rows_depend_on_the_effect_in_standard_deviations_alone(
    scale: float, alpha: float, power: float, arms: int
) -> None:
    """Other units change nothing; every plan that is watched needs more rows than one read once."""
    plan = {"alpha": alpha, "power": power}
    rows = sample_size_watched(0.1, [1.0] * arms, **plan)
    assert sample_size_watched(0.1 * scale, [scale**2] * arms, **plan) == pytest.approx(rows, rel=1e-6)
    assert rows > sample_size(0.1, [1.0] * arms, **plan)


def test_a_far_n_star_costs_rows_and_is_still_answered() -> None:
    """A thousand times too large or too small: more rows, never none."""
    once = sample_size(0.1, [4.0, 4.0])
    assert 3 * once < sample_size_watched(0.1, [4.0, 4.0], n_star=1_000 * once) < 100 * once
    assert 2 * once < sample_size_watched(0.1, [4.0, 4.0], n_star=once / 1_000) < 100 * once


def test_unequal_splits_and_variants() -> None:
    """The contrast with the fewest rows decides; its n* is in rows of its two variants."""
    equal, unequal = sample_size_watched(0.1, [1.0, 1.0]), sample_size_watched(0.1, [1.0, 1.0], weights=[9, 1])
    assert unequal / equal == pytest.approx(0.25 / 0.09)
    once = sample_size(0.1, [1.0] * 4)
    assert sample_size_watched(0.1, [1.0] * 4, n_star=once / 2) == pytest.approx(sample_size_watched(0.1, [1.0] * 4))


def test_a_horizon_must_be_positive() -> None:
    """Said with what was found."""
    with pytest.raises(InvalidInput, match="horizon"):
        waiting(0.1, [1.0, 1.0], horizon=0)
