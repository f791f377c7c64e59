"""What must hold for every kind of metric, from values to limits: units, origins, order, parts, and nothing at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.types import Floats
from experiments.statistics import covariates, sequential, strata
from experiments.statistics.covariates import JointMoments
from experiments.statistics.effect import Effect, effect_of
from experiments.statistics.moments import Estimate, Missing, Moments
from experiments.statistics.sequential import Interval, Tuning

TUNING = Tuning(n_star=2_000)
Arm = tuple[Floats, Floats]
"""The metric and the covariate (or the denominator) of every unit."""


def plain(values: Floats) -> Moments:
    """The sums of values that are not zeros and ones."""
    return Moments(len(values), float(values.sum()), float(values @ values), len(values))


def of_means(control: Arm, treatment: Arm) -> Effect | Missing:
    """The difference of means."""
    a, b = plain(control[0]).estimate(), plain(treatment[0]).estimate()
    if isinstance(a, Missing):
        return a
    return b if isinstance(b, Missing) else effect_of(a, b)


def of_cuped(control: Arm, treatment: Arm) -> Effect | Missing:
    """The difference adjusted by the covariate."""
    return covariates.cuped_effect(JointMoments.of(*control), JointMoments.of(*treatment))


def of_strata(control: Arm, treatment: Arm) -> Effect | Missing:
    """The difference weighted by whether the covariate is above its middle."""
    cells = [[plain(y[(x > 0.5) == half]) for y, x in (control, treatment)] for half in (True, False)]
    return strata.stratified_effect([(a, b) for a, b in cells])


def of_cuped_strata(control: Arm, treatment: Arm) -> Effect | Missing:
    """The difference adjusted within strata."""
    cells = [
        [JointMoments.of(y[(x > 0.5) == half], x[(x > 0.5) == half]) for y, x in (control, treatment)]
        for half in (True, False)
    ]
    return strata.stratified_cuped_effect([(a, b) for a, b in cells])


def of_ratio(control: Arm, treatment: Arm) -> Effect | Missing:
    """The difference of ratios of the two."""
    a, b = (covariates.metric_ratio(JointMoments.of(*arm)) for arm in (control, treatment))
    if isinstance(a, Missing):
        return a
    return b if isinstance(b, Missing) else effect_of(a, b)


def of_ratio_strata(control: Arm, treatment: Arm) -> Effect | Missing:
    """The difference of ratios whose parts are weighted by a stratum that the order of rows gives."""
    cells = [[JointMoments.of(y[part::2], x[part::2]) for y, x in (control, treatment)] for part in (0, 1)]
    return strata.stratified_ratio_effect([(a, b) for a, b in cells])


Kind = Callable[[Arm, Arm], Effect | Missing]
MEANS: tuple[Kind, ...] = (of_means, of_cuped, of_strata, of_cuped_strata)
KINDS: tuple[Kind, ...] = (*MEANS, of_ratio, of_ratio_strata)


def arms(seed: int, effect: float = 0.3) -> tuple[Arm, Arm]:
    """A control and a treatment of a few hundred units."""
    rng = np.random.default_rng(seed)
    found = []
    for shift in (0.0, effect):
        n = int(rng.integers(150, 400))
        x = rng.random(n) + 0.1
        found.append((1 + shift + x + rng.gamma(2.0, 0.5, n), x))
    return found[0], found[1]


def known(found: Any) -> Any:
    """What was found, where there is something."""
    assert not isinstance(found, Missing), found
    return found


def numbers(effect: Effect) -> list[float]:
    """The effect, its limits, and those of the lift."""
    limits, lift = sequential.interval(effect.difference, TUNING), known(sequential.lift(effect, TUNING))
    return [effect.value, limits.low, limits.high, lift.estimate, lift.low, lift.high]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3))
def test_another_unit_scales_limits_and_leaves_lifts_alone(kind: Kind, seed: int, scale: float) -> None:
    """Cents for dollars: differences are a hundred times as large, lifts and p-values the same."""
    (y, x), (z, w) = arms(seed)
    one, other = known(kind((y, x), (z, w))), known(kind((y * scale, x), (z * scale, w)))
    expected = np.array(numbers(one)) * [scale, scale, scale, 1, 1, 1]
    assert numbers(other) == pytest.approx(expected, rel=1e-6, abs=1e-7 * scale)
    assert sequential.log_e_value(other.difference, TUNING) == pytest.approx(
        sequential.log_e_value(one.difference, TUNING), rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize("kind", MEANS)
@given(seed=st.integers(0, 10**6), shift=st.floats(-100, 100))
def test_another_origin_moves_no_difference(kind: Kind, seed: int, shift: float) -> None:
    """The same number added to every value changes no difference of means and no limit of it."""
    (y, x), (z, w) = arms(seed)
    one, other = known(kind((y, x), (z, w))), known(kind((y + shift, x), (z + shift, w)))
    assert (other.value, other.variance) == pytest.approx((one.value, one.variance), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6))
def test_exchanging_the_variants_turns_the_difference(kind: Kind, seed: int) -> None:
    """Treatment against control is control against treatment with the other sign."""
    control, treatment = arms(seed)
    forth, back = known(kind(control, treatment)).difference, known(kind(treatment, control)).difference
    assert (back.value, back.variance) == pytest.approx((-forth.value, forth.variance), rel=1e-9)


@pytest.mark.parametrize("kind", MEANS)
def test_standard_errors_are_those_of_the_estimate(kind: Kind) -> None:
    """Over many experiments the estimate is off by one standard error, in the root of the mean square."""
    found = [known(kind(*arms(seed))).difference for seed in range(400)]
    errors = [(estimate.value - 0.3) / estimate.standard_error for estimate in found]
    assert np.mean(errors) == pytest.approx(0.0, abs=0.15)
    assert np.std(errors) == pytest.approx(1.0, abs=0.12)


def test_covariates_and_strata_narrow_what_they_explain() -> None:
    """Adjusting for what moves the metric, the error is smaller than without, and smallest with both."""
    errors = [known(kind(*arms(5))).difference.standard_error for kind in (of_means, of_strata, of_cuped)]
    assert errors == sorted(errors, reverse=True)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), max_size=30), st.integers(0, 30))
def test_sums_of_parts_are_the_sums_of_the_whole(rows: list[tuple[float, float]], cut: int) -> None:
    """Wherever rows are cut, and in whatever order the parts are added."""
    y, x = (np.array([row[i] for row in rows]) for i in (0, 1))
    parts = [JointMoments.of(y[:cut], x[:cut]), JointMoments.of(y[cut:], x[cut:])]
    whole = JointMoments.of(y, x)
    for both in (parts[0] + parts[1], parts[1] + parts[0]):
        for name in ("rows", "y", "x", "yy", "xx", "xy"):
            assert getattr(both, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-7)


EMPTY = np.zeros(0)
DEGENERATE: tuple[Arm, ...] = (
    (EMPTY, EMPTY),
    (np.ones(1), np.ones(1)),
    (np.zeros(300), np.zeros(300)),
    (np.full(300, 2.5), np.full(300, 0.1)),
    (np.full(300, np.nan), np.ones(300)),
    (np.full(300, np.inf), np.ones(300)),
    (np.full(300, 1e200), np.full(300, 1e200)),
    (np.r_[np.zeros(299), 1.0], np.zeros(300)),
    (np.r_[np.zeros(299), 1e-200], np.full(300, 1e-200)),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("poor", range(len(DEGENERATE)))
def test_too_little_is_a_sentence(kind: Kind, poor: int) -> None:
    """Nothing, one unit, equal values, NaN and infinite ones: a sentence or finite numbers, never NaN or a crash."""
    good, bad = arms(1)[0], DEGENERATE[poor]
    with np.errstate(all="ignore"):
        for control, treatment in ((good, bad), (bad, good), (bad, bad)):
            found = kind(control, treatment)
            if isinstance(found, Missing):
                assert found.reason
                continue
            assert math.isfinite(found.value)
            assert found.variance > 0
            lift = sequential.lift(found, TUNING)
            assert not isinstance(lift, Interval) or lift.low <= lift.estimate <= lift.high
            assert isinstance(sequential.lift_lower_limit(found, TUNING), float | Missing)
            assert 0 <= sequential.p_greater(found.difference, TUNING) <= 1


@given(seed=st.integers(0, 10**6), margin=st.floats(0.0, 0.9))
def test_margins_limits_and_lifts_agree(seed: int, margin: float) -> None:
    """'Not worse by more than m' without division is the lower limit of the lift beyond −m."""
    control, treatment = arms(seed, effect=-0.2)
    effect = known(of_cuped(control, treatment))
    limit = sequential.lower_limit(sequential.beyond_margin(effect, margin), TUNING)
    lift = known(sequential.lift_lower_limit(effect, TUNING))
    assert abs(limit) < 1e-9 or (limit > 0) == (lift > -margin)


@given(seed=st.integers(0, 10**6), alpha=st.floats(0.001, 0.3))
def test_one_sided_p_and_limit_agree(seed: int, alpha: float) -> None:
    """p is at or below alpha where the limit at that alpha is above zero, and 1/e is never below p by its own bound."""
    estimate, tuning = known(of_means(*arms(seed, effect=0.2))).difference, Tuning(alpha, 2_000)
    p, limit = sequential.p_greater(estimate, tuning), sequential.lower_limit(estimate, tuning)
    assert abs(limit) < 1e-9 or (limit > 0) == (p < alpha)
    assert sequential.log_e_greater(estimate, tuning) >= math.log(1 / p) - 1e-9 or p == 1.0
    mirrored = Estimate(-estimate.value, estimate.variance, estimate.rows)
    assert sequential.upper_limit(mirrored, tuning) == -limit
