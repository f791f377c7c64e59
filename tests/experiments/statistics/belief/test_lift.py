from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bandit.validation import InvalidInput
from experiments.statistics.belief import EffectBelief, Prior, beta_difference, beta_lift, effect_belief, normal_lift
from experiments.statistics.moments import Estimate, Missing

betas = st.tuples(st.integers(1, 2_000), st.integers(1, 20_000))


PAIRS = [
    ((1001, 9001), (1112, 8990)),
    ((4, 56), (56, 4)),
    ((1, 1), (1, 1)),
    ((2, 3), (30, 40)),
    ((306, 78), (88, 4)),
    ((1, 1044), (4, 14)),
]


@pytest.mark.parametrize(("control", "treatment"), PAIRS)
def test_within_a_millionth_of_another_quadrature(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    """At each quantile found, the distribution function of lift and of difference is the level."""
    c, t = stats.beta(*control), stats.beta(*treatment)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    tails = [1e-12, 1e-8, 1e-4, 1e-2, 0.1, 0.3]
    levels = np.array([0.0, *tails, 0.5, *(1 - q for q in tails), 1.0])
    lift, difference = beta_lift(control, treatment), beta_difference(control, treatment)
    for level, at, apart in zip(lift.levels, lift.quantiles, difference.quantiles, strict=True):
        for slope, zero in ((1 + at, 0.0), (1.0, apart)):
            corners = (t.ppf(levels) - zero) / slope
            cuts = np.unique(np.clip(np.concatenate([c.ppf(levels), corners]), 0, 1))
            half = np.diff(cuts)[:, None] / 2
            x = cuts[:-1, None] + half * (1 + nodes)
            found = (half * weights * c.pdf(x) * t.cdf(slope * x + zero)).sum()
            assert found == pytest.approx(level, abs=1e-6)


@given(betas, betas)
def test_exchanging_the_two_inverts_the_lift(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    """1 + lift becomes its inverse, the difference changes sign, and gain and harm change places."""
    forth, back = beta_lift(control, treatment), beta_lift(treatment, control)
    assert [1 / (1 + q) for q in reversed(back.quantiles)] == pytest.approx([1 + q for q in forth.quantiles], rel=1e-5)
    assert forth.chance + back.chance == pytest.approx(1.0)
    assert (forth.gain, forth.harm) == pytest.approx((back.harm, back.gain), rel=1e-6, abs=1e-12)
    means = [a / (a + b) for a, b in (control, treatment)]
    assert forth.gain - forth.harm == pytest.approx(means[1] - means[0], abs=1e-9)


def test_with_plenty_of_data_the_beta_is_normal() -> None:
    """A normal lift of the same means and errors has the same quantiles to a thousandth."""
    control, treatment = (20_001, 180_001), (21_001, 179_001)
    estimates = [Estimate(a / (a + b), a * b / (a + b) ** 3, a + b) for a, b in (control, treatment)]
    assert normal_lift(*estimates) == pytest.approx(beta_lift(control, treatment).quantiles, abs=2e-4)


def test_a_control_near_zero_has_no_lift() -> None:
    """Within four errors of zero a normal control may be below it, and the ratio means nothing."""
    found = normal_lift(Estimate(0.3, 0.01, 100), Estimate(0.5, 0.01, 100))
    assert found == Missing("not enough control data for a relative lift")
    with pytest.raises(InvalidInput, match="levels"):
        beta_lift((1, 1), (1, 1), levels=(0.0, 0.5))


@given(st.floats(-5, 5), st.floats(0.01, 4), st.floats(-2, 2), st.floats(0.01, 4))
def test_posterior_of_an_effect(value: float, variance: float, center: float, width: float) -> None:
    """Gain less harm is the posterior mean; the mirror image exchanges them; a flat prior leaves the data alone."""
    found = effect_belief(Estimate(value, variance, 100), Prior(center, width))
    mirrored = effect_belief(Estimate(-value, variance, 100), Prior(-center, width))
    less = effect_belief(Estimate(value, variance, 100), Prior(center, width), increase=False)
    assert found.keep_loss - found.ship_loss == pytest.approx(found.mean, abs=1e-9)
    assert mirrored.chance_to_win == pytest.approx(1 - found.chance_to_win)
    assert (less.keep_loss, less.ship_loss) == (found.ship_loss, found.keep_loss)
    assert min(value, center) - 1e-9 <= found.mean <= max(value, center) + 1e-9
    flat = effect_belief(Estimate(value, variance, 100))
    assert (flat.mean, flat.sd) == pytest.approx((value, math.sqrt(variance)))


def test_losses_are_what_drawing_gives() -> None:
    """Expected losses as in 400,000 draws of the posterior."""
    found: EffectBelief = effect_belief(Estimate(0.5, 1.0, 100))
    drawn = np.random.default_rng(4).normal(0.5, 1.0, 400_000)
    assert found.keep_loss == pytest.approx(np.maximum(drawn, 0).mean(), abs=5e-3)
    assert found.ship_loss == pytest.approx(np.maximum(-drawn, 0).mean(), abs=5e-3)


def test_priors_of_lifts_and_of_differences_are_each_others_inverse() -> None:
    """A prior of the lift, made one of the difference and back, is what it was; a variance of zero is refused."""
    assert Prior(0.1, 0.04).of_share(-5.0).as_share(-5.0) == Prior(0.1, 0.04)
    with pytest.raises(InvalidInput, match="found 0"):
        Prior(0.0, 0.0)
