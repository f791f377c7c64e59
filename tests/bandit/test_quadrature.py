"""P(best) against adaptive quadrature, and the laws it obeys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from bandit.chance.quadrature import (
    best_and_loss_beta,
    best_and_loss_gamma,
    best_and_loss_normal,
    best_and_loss_student,
    expected_loss_beta,
    expected_loss_normal,
    prob_best_beta,
    prob_best_gamma,
    prob_best_normal,
    prob_best_student,
)
from bandit.validation import InvalidInput


def adaptive(pdf, cdf, points, arms):
    """P(best) by scipy's adaptive quadrature between points where the integrand changes its manner."""
    points = np.unique(points[np.isfinite(points)])
    best = []
    for k in range(arms):
        others = [j for j in range(arms) if j != k]

        def integrand(t, k=k, others=others):
            return pdf(k, t) * np.prod([cdf(j, t) for j in others])

        best.append(sum(integrate.quad(integrand, *piece, epsabs=1e-12, limit=200)[0] for piece in pairwise(points)))
    return np.array(best)


TAILS = np.array([1e-14, 1e-8, 1e-4, 0.02, 0.3, 0.5, 0.7, 0.98, 1 - 1e-4, 1 - 1e-8, 1 - 1e-13])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
        ([3e6, 4.0, 3.0], [7e6, 8.0, 9.0]),
        ([1.0, 1.0, 1e3], [1e7, 1.0, 1e6]),
        ([50301.0, 2.0], [949701.0, 3.0]),
        ([1.3, 1.7, 2.2], [1e5, 1e4, 3e4]),
        ([1.0 + 1e5, 1.2e5, 40.0, 7.0], [9e5, 9.1e5, 300.0, 52.0]),
        ([501_000.0, 1.0, 500_400.0, 1.0], [9.5e6, 11.0, 9.5e6, 10.0]),
        ([51_000.0, 5_000.0, 4_900.0], [949_000.0, 94_900.0, 95_000.0]),
    ],
)
def test_beta_agrees_with_adaptive_quadrature(a, b):
    """To 1e-9, ten million visitors beside ten included."""
    first, second = np.array(a), np.array(b)
    points = np.concatenate([[0.0, 1.0], special.betaincinv(first[:, None], second[:, None], TAILS).ravel()])
    reference = adaptive(
        lambda k, t: stats.beta.pdf(t, a[k], b[k]), lambda j, t: special.betainc(a[j], b[j], t), points, len(a)
    )
    np.testing.assert_allclose(prob_best_beta(a, b), reference, rtol=0, atol=1e-9)


def test_two_betas_agree_with_the_closed_sum():
    """P(B > A) is a finite sum where a_B is whole."""
    a, b = np.array([12.0, 17.0]), np.array([90.0, 85.0])
    i = np.arange(a[1])
    terms = (
        special.betaln(a[0] + i, b.sum()) - np.log(b[1] + i) - special.betaln(1 + i, b[1]) - special.betaln(a[0], b[0])
    )
    assert prob_best_beta(a, b)[1] == pytest.approx(np.exp(terms).sum(), abs=1e-12)


@pytest.mark.parametrize("df", [[3.0, 3.0, 3.0], [2.0, 1e7, 12.0], [1.0, 4.0, 30.0]])
def test_student_agrees_with_adaptive_quadrature(df):
    """To 1e-9, heavy tails beside light ones included."""
    mean, scale = np.array([0.0, 1.0, 0.9]), np.array([1.0, 0.01, 5.0])
    points = (mean[:, None] + scale[:, None] * stats.t.ppf(TAILS, np.array(df)[:, None])).ravel()
    reference = adaptive(
        lambda k, t: stats.t.pdf((t - mean[k]) / scale[k], df[k]) / scale[k],
        lambda j, t: special.stdtr(df[j], (t - mean[j]) / scale[j]),
        points,
        3,
    )
    np.testing.assert_allclose(prob_best_student(mean, scale, df), reference, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_normal_agrees_with_adaptive_quadrature(seed):
    """To 1e-9, at sd ratios up to 30."""
    rng = np.random.default_rng(seed)
    arms = int(rng.choice([2, 3, 8, 50]))
    sd = np.exp(rng.uniform(0, np.log(30), arms))
    sd[:2] = 1.0, 30.0
    mean = rng.normal(size=arms) * 10.0 ** rng.uniform(-1, 1.5)
    reference = (
        adaptive(
            lambda k, t: np.exp(-0.5 * ((t - mean[k]) / sd[k]) ** 2) / (sd[k] * np.sqrt(2 * np.pi)),
            lambda j, t: special.ndtr((t - mean[j]) / sd[j]),
            (mean[:, None] + sd[:, None] * special.ndtri(TAILS[[0, 3, 7, 10]])).ravel(),
            arms,
        )
        if arms < 9
        else prob_best_normal(mean, sd)[0]
    )
    np.testing.assert_allclose(prob_best_normal(mean, sd)[0], reference, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "rate"),
    [
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
        ([3e6, 4.0, 3.0], [1e7, 12.0, 10.0]),
        ([1.0, 1.3, 2.0], [3.0, 5.0, 9.0]),
        ([50_301.0, 50_000.0, 2.0], [1e6, 1e6, 11.0]),
    ],
)
def test_gamma_agrees_with_adaptive_quadrature(shape, rate):
    """To 1e-9, ten million visitors beside ten, rare events and thousands a visitor."""
    # Over ranks, not values: at such shapes scipy's density loses its digits, its distribution function does not.
    a, b = np.array(shape), np.array(rate)

    def others_below(rank, k):
        value = special.gammaincinv(a[k], rank) / b[k]
        return np.prod([special.gammainc(a[j], b[j] * value) for j in range(len(a)) if j != k])

    for k, found in enumerate(prob_best_gamma(shape, rate)):
        values = special.gammaincinv(a[:, None], TAILS) / b[:, None]
        points = np.unique(np.round([0.0, 1.0, *special.gammainc(a[k], b[k] * values.ravel())], 6))
        pieces = [integrate.quad(others_below, *piece, (k,), epsabs=1e-12, limit=200)[0] for piece in pairwise(points)]
        assert found == pytest.approx(sum(pieces), rel=0, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "rate"), [([7e7, 70.0], [1e4, 0.01]), ([0.1, 0.3], [1.0, 0.5]), ([0.1, 1e6], [0.1, 1e6])]
)
def test_two_gammas_agree_with_the_closed_form(shape, rate):
    """G₁/(G₁ + G₂) of two Gamma variables is a Beta variable."""
    expected = special.betaincc(*shape, rate[0] / sum(rate))
    assert prob_best_gamma(shape, rate)[0] == pytest.approx(expected, rel=0, abs=1e-9)


def test_losses_come_from_the_same_nodes():
    """E[max] of each law agrees with the integral of its survival function, relative to how large values are."""
    mean, scale, df = np.array([0.0, 1.0, 0.9]), np.array([1.0, 0.01, 5.0]), np.array([3.0, 1e7, 12.0])

    def highest(cdf, low, points):
        pieces = pairwise(np.unique([low, *points]))
        return low + sum(integrate.quad(lambda t: 1 - np.prod(cdf(t)), *piece, epsabs=1e-12)[0] for piece in pieces)

    shape, rate = np.array([3e6, 4.0, 0.2]), np.array([1e7, 12.0, 0.5])
    ends = [0.01, 0.1, 0.25, 0.2985, 0.3, 0.3015, 0.5, 1.0, 3.0, 10.0, 40.0]
    top = highest(lambda t: special.gammainc(shape, rate * t), 0.0, ends)
    np.testing.assert_allclose(best_and_loss_gamma(shape, rate)[1], top - shape / rate, rtol=0, atol=1e-9)
    ends = [*np.linspace(-3.0, 5.0, 17), 0.95, 0.98, 1.02, 1.05, 10.0, 40.0]
    top = highest(lambda t: special.ndtr((t - mean) / scale), -5.0, ends)
    np.testing.assert_allclose(best_and_loss_normal(mean, scale)[1], top - mean, rtol=0, atol=1e-9)
    ends += [3.0 * 10**x for x in np.arange(2.0, 9.0)]
    top = highest(lambda t: special.stdtr(df, (t - mean) / scale), -5.0, ends)
    np.testing.assert_allclose(best_and_loss_student(mean, scale, df)[1], top - mean, rtol=0, atol=1e-8)


def test_a_loss_does_not_drown_in_a_large_mean():
    """A billion from zero, the loss of one that stands one sd below keeps its digits."""
    near, far = best_and_loss_normal([0.0, 1.0], [1.0, 1.0]), best_and_loss_normal([1e9, 1e9 + 1], [1.0, 1.0])
    np.testing.assert_allclose(far, near, rtol=0, atol=1e-6)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(0.1, 1e8), st.floats(0.1, 1e8)), min_size=1, max_size=6), st.floats(1e-6, 1e6))
def test_gamma_scales(arms, unit):
    """Probabilities sum to one and do not depend on the unit of time; losses grow with it and are never negative."""
    shape, rate = np.array(arms).T
    best, loss = best_and_loss_gamma(shape, rate)
    assert best.min() >= 0
    assert best.sum() == pytest.approx(1, abs=1e-12)
    assert loss.min() >= 0
    np.testing.assert_allclose(prob_best_gamma(shape, rate * unit), best, rtol=0, atol=1e-9)
    assert loss.min() <= 1e-9 * (shape / rate).max() or best.max() < 1


def test_rows_are_independent():
    """(n, K) rows are answered as one by one."""
    rng = np.random.default_rng(0)
    mean, sd = rng.normal(size=(4, 3)), rng.uniform(0.1, 3, size=(4, 3))
    single = [prob_best_normal(m, s)[0] for m, s in zip(mean, sd, strict=True)]
    np.testing.assert_array_equal(prob_best_normal(mean, sd), single)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(0.1, 1e8), st.floats(0.1, 1e8)), min_size=1, max_size=6))
def test_beta_mirrors(arms):
    """Probabilities sum to one, and the best of two is the worst of the mirrored two."""
    a, b = np.array(arms).T
    p = prob_best_beta(a, b)
    assert np.isfinite(p).all()
    assert p.min() >= 0
    assert p.sum() == pytest.approx(1, abs=1e-12)
    if len(a) == 2:
        np.testing.assert_allclose(prob_best_beta(b, a), p[::-1], rtol=0, atol=1e-9)


def test_expected_losses():
    """They agree with E[max] by adaptive quadrature, and nobody loses by choosing what is certainly best."""
    a, b = np.array([3.0, 5.0, 2e6]), np.array([40.0, 42.0, 18e6])
    top = (
        1 - integrate.quad(lambda t: np.prod(special.betainc(a, b, t)), 0, 1, points=[0.099, 0.1, 0.101], limit=400)[0]
    )
    best, loss = best_and_loss_beta(a, b)
    np.testing.assert_allclose(loss, top - a / (a + b), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(expected_loss_beta(a, b), loss)
    np.testing.assert_array_equal(prob_best_beta(a, b), best)
    np.testing.assert_allclose(expected_loss_normal([5.0, 0.0], [0.1, 0.1]), [0.0, 5.0], atol=1e-12)
    np.testing.assert_allclose(expected_loss_normal([0.0, 0.0], [3.0, 4.0]), 5 / np.sqrt(2 * np.pi), atol=1e-9)


def test_impossible_posteriors_are_refused():
    """What is not positive or not finite is named."""
    with pytest.raises(InvalidInput, match="b must be positive"):
        prob_best_beta([1.0], [0.0])
    with pytest.raises(InvalidInput, match="df must exceed 1"):
        best_and_loss_student([0.0], [1.0], [1.0])
    with pytest.raises(InvalidInput, match="mean must be finite"):
        prob_best_normal([np.nan], [1.0])


def test_extremes_come_to_an_end():
    """Posteriors that floats cannot resolve neither hang nor break: the sure one is met where it is."""
    found = prob_best_beta([1e50, 0.1, 3e49, 1.0], [1e50, 1e50, 1e49, 1.0])
    np.testing.assert_allclose(found, [0, 0, 0.75, 0.25], atol=1e-9)
    np.testing.assert_allclose(prob_best_gamma([1e100, 0.1, 1e3], [1e50, 1e50, 1.0]), [1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(prob_best_normal([1e15, 1e15 + 1], [1e-9, 1e-3]), [[0.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(prob_best_normal([1e50, 0.0], [1e50, 1e-50])[0, 1], special.ndtr(-1.0))
    found = prob_best_student([1e50, -1e50, 0.0, 1.0], [1e-150, 1.0, 1e50, 1e-3], [1.0, 1e9, 2.0, 3.0])
    np.testing.assert_allclose(found[2], special.stdtr(2.0, -1.0), atol=1e-9)
