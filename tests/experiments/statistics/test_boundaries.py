from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bandit.validation import InvalidInput
from experiments.statistics.boundaries import bounded, mixtures, stitching, weighted


def test_mixtures_agree_with_their_authors() -> None:
    """Log mixtures and bounds at v = 100 are the targets of confseq's own unit tests."""
    assert mixtures.normal_log_mixture(10, 100, v_opt=100) == pytest.approx(-0.06502391, abs=1e-5)
    assert mixtures.gamma_poisson_log_mixture(10, 100, v_opt=100, c=2) == pytest.approx(-0.06991219, abs=1e-5)
    for one_sided, expected in ((False, -0.6941012), (True, -0.07134019)):
        found = mixtures.beta_binomial_log_mixture(10, 100, v_opt=100, g=0.2, h=0.8, one_sided=one_sided)
        assert found == pytest.approx(expected, abs=1e-5)
    assert stitching.poly_stitching_bound(100, alpha=0.05, v_min=10, c=-1) == pytest.approx(28.99389, abs=1e-5)


def test_the_half_normal_mixture_is_the_integral_that_it_stands_for() -> None:
    """ln ∫ 2 φ(λ √ρ) √ρ exp(λ s − λ² v/2) dλ over λ > 0."""
    rho = mixtures.best_rho(100, one_sided=True)

    def integrand(x: float) -> float:
        return float(2 * math.sqrt(rho) * stats.norm.pdf(x * math.sqrt(rho)) * math.exp(x * 12 - x * x * 40))

    whole = integrate.quad(integrand, 0, 10)[0]
    assert mixtures.normal_log_mixture(12, 80, v_opt=100) == pytest.approx(math.log(whole), abs=1e-9)


@given(st.floats(1, 1e5), st.floats(1e-6, 0.4), st.sampled_from([0.1, 1.0, 5.0]))
def test_bounds_are_where_their_mixture_reaches_the_level(v: float, alpha: float, c: float) -> None:
    """At the bound the log mixture is ln(1/α), and a smaller α bounds more widely."""
    for mixture, bound in (
        (mixtures.gamma_exponential_log_mixture, mixtures.gamma_exponential_mixture_bound),
        (mixtures.gamma_poisson_log_mixture, mixtures.gamma_poisson_mixture_bound),
    ):
        at = bound(v, alpha=alpha, v_opt=100, c=c)
        assert mixture(at, v, v_opt=100, c=c) == pytest.approx(-math.log(alpha), abs=1e-5)
        assert bound(v, alpha=alpha / 2, v_opt=100, c=c) > at
    at = mixtures.normal_mixture_bound(v, alpha=alpha, v_opt=100)
    assert mixtures.normal_log_mixture(at, v, v_opt=100) == pytest.approx(-math.log(alpha), abs=1e-6)


def test_a_sum_that_can_be_no_larger_is_bounded_by_that() -> None:
    """With two trials no number of successes is evidence at one in a million."""
    assert mixtures.beta_binomial_mixture_bound(0.5, alpha=1e-6, v_opt=100, g=0.5, h=0.5) == 1.0
    assert mixtures.bernoulli_limits(0, 5, t_opt=100)[0] == 0.0
    assert mixtures.bernoulli_limits(5, 5, t_opt=100)[1] == 1.0


def test_distribution_functions_are_bounded_after_their_first_look() -> None:
    """Nothing is said before, and the bound narrows as the values come."""
    bounds = [stitching.empirical_process_lil_bound(t, alpha=0.05, t_min=100) for t in (50, 100, 1_000, 10_000)]
    assert bounds[0] == math.inf
    assert bounds == sorted(bounds, reverse=True)
    assert stitching.double_stitching_bound(0.1, 10, alpha=0.05, t_opt=100) > 0
    with pytest.raises(InvalidInput, match="width"):
        stitching.empirical_process_lil_bound(100, alpha=0.05, t_min=10, width=0.5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_mirrored_values_have_mirrored_limits(values: list[float]) -> None:
    """Of 1 − x, every limit is one minus the other limit of x; betting is narrower than saying nothing."""
    x = np.array(values)
    for limits in (bounded.hoeffding_limits, bounded.empirical_bernstein_limits, bounded.betting_limits):
        low, high = limits(x)
        back_low, back_high = limits(1 - x)
        assert (back_low, back_high) == (pytest.approx(1 - high, abs=1e-9), pytest.approx(1 - low, abs=1e-9))
        assert np.all(low <= high)


def test_bounded_sequences_hold_their_level() -> None:
    """Over 400 runs of 300 values with mean .2, at most 5% (plus three errors) ever leave it out."""
    rng = np.random.default_rng(11)
    values = rng.beta(1, 4, (400, 300))
    missed = np.zeros((2, 400), dtype=bool)
    for run, x in enumerate(values):
        for row, limits in enumerate((bounded.hoeffding_limits, bounded.empirical_bernstein_limits)):
            low, high = limits(x)
            missed[row, run] = bool(((low > 0.2) | (high < 0.2)).any())
    assert missed.mean(axis=1).max() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_weighted_rewards_of_another_policy() -> None:
    """Limits hold what the target policy earns, in the rewards' own unit, and clipping the plug-in changes little."""
    rng = np.random.default_rng(2)
    p = rng.choice([0.1, 0.5, 0.9], 4_000)
    chosen = rng.random(4_000) < p
    rewards = np.where(chosen, 4.0, 1.0) + rng.random(4_000)
    low, high = weighted.weighted_limits(chosen / p, rewards, low=1.0, high=5.0)
    assert 1.0 <= low < 4.5 < high <= 5.0
    plain = weighted.weighted_limits(chosen / p, rewards, low=1.0, high=5.0, clipped=False)
    assert (low, high) == pytest.approx(plain, abs=0.1)
    with pytest.raises(InvalidInput, match="between 0"):
        weighted.weighted_limits([1.0], [2.0])


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), min_size=2, max_size=40))
def test_cressie_read_of_a_constant_reward_is_that_reward(rows: list[tuple[float, float]]) -> None:
    """Like SNIPS and unlike IPS it moves with the origin of rewards wherever the weights can be balanced."""
    w = np.array([weight for weight, _ in rows]) + 0.01
    r = np.array([reward for _, reward in rows])
    if w.sum() <= len(w):
        moved, plain = weighted.cressie_read(w, r + 3.0), weighted.cressie_read(w, r)
        assert moved - plain == pytest.approx(3.0, abs=1e-9)
