"""Estimators where the truth is known: right on average, and their intervals keep their word."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bandit.offpolicy import Estimate, Estimator, Sums, difference, estimate, logged

ARMS = 3
REPEATS = 300
ROWS = 1000


def play(rng: np.random.Generator) -> tuple[Sums, float, float]:
    """A log of a contextual world under a contextual policy; the truths of the target and of the logged policy."""
    context = rng.integers(0, 2, ROWS)
    truth = np.array([[0.1, 0.3, 0.5], [0.6, 0.4, 0.2]])
    logging = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
    target = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    chosen = (rng.random((ROWS, 1)) > np.cumsum(logging[context], axis=1)).sum(axis=1)
    sums = Sums.of(
        target[context],
        chosen,
        rewards=(rng.random(ROWS) < truth[context, chosen]).astype(float),
        propensities=logging[context, chosen],
        logged=logging[context],
        model=truth[context] + 0.1,  # wrong by a constant: DR must mend it, DM cannot
    )
    return sums, float((target * truth).sum() / 2), float((logging * truth).sum() / 2)


@pytest.fixture(scope="module")
def logs() -> list[tuple[Sums, float, float]]:
    """Many logs of one world."""
    rng = np.random.default_rng(20)
    return [play(rng) for _ in range(REPEATS)]


@pytest.mark.parametrize("estimator", [one for one in Estimator if one is not Estimator.DM])
def test_intervals_cover_the_truth(logs: list[tuple[Sums, float, float]], estimator: Estimator) -> None:
    """95 % intervals of the value and of the paired difference cover in 95 % ± 3.5 standard errors of that share."""
    values = [(estimate(sums, estimator), truth) for sums, truth, _ in logs]
    differences = [(difference(sums, estimator), truth - base) for sums, truth, base in logs]
    for found in (values, differences):
        covered = np.mean([one.low <= truth <= one.high for one, truth in found])
        assert abs(covered - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / REPEATS)


@pytest.mark.parametrize("estimator", [one for one in Estimator if one is not Estimator.DM])
def test_values_are_right_on_average(logs: list[tuple[Sums, float, float]], estimator: Estimator) -> None:
    """The mean over many logs is the truth within four of its standard errors, and the s.e. says how they scatter."""
    errors = np.array([estimate(sums, estimator).value - truth for sums, truth, _ in logs])
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(REPEATS)
    said = np.mean([estimate(sums, estimator).stderr for sums, _, _ in logs])
    assert said == pytest.approx(errors.std(), rel=0.15)


def test_the_direct_method_keeps_the_error_of_its_model(logs: list[tuple[Sums, float, float]]) -> None:
    """A model that is wrong by .1 makes DM wrong by .1, which its interval does not know."""
    errors = [estimate(sums, Estimator.DM).value - truth for sums, truth, _ in logs]
    assert np.mean(errors) == pytest.approx(0.1, abs=0.005)


def test_doubly_robust_scatters_less_than_weighting(logs: list[tuple[Sums, float, float]]) -> None:
    """A fair model narrows the intervals."""
    sums = logs[0][0]
    assert estimate(sums, Estimator.DR).stderr < estimate(sums, Estimator.IPS).stderr


def test_the_logged_policy_differs_from_itself_by_nothing() -> None:
    """With the logged policy as target every weight is 1, and IPS is the plain mean."""
    rng = np.random.default_rng(3)
    policy = np.full((50, ARMS), 1 / ARMS)
    sums = Sums.of(
        policy, rng.integers(0, ARMS, 50), rewards=rng.random(50), propensities=np.full(50, 1 / ARMS), logged=policy
    )
    assert_allclose(estimate(sums, Estimator.SNIPS).value, logged(sums).value)
    assert_allclose(difference(sums, Estimator.IPS).stderr, 0.0, atol=1e-12)
    assert_allclose(difference(sums, Estimator.IPS).value, 0.0, atol=1e-12)


def test_a_mirrored_reward_has_the_mirrored_estimate(logs: list[tuple[Sums, float, float]]) -> None:
    """Negated rewards and model negate every value and keep every standard error."""
    rng = np.random.default_rng(8)
    policy = rng.dirichlet(np.ones(ARMS), 80)
    arguments = {"target": rng.dirichlet(np.ones(ARMS), 80), "chosen": rng.integers(0, ARMS, 80), "logged": policy}
    propensities = policy[np.arange(80), arguments["chosen"]]
    rewards, model = rng.normal(size=80), rng.normal(size=(80, ARMS))
    up, down = (
        Sums.of(**arguments, propensities=propensities, rewards=sign * rewards, model=sign * model) for sign in (1, -1)
    )
    for estimator in Estimator:
        one, other = estimate(up, estimator), estimate(down, estimator)
        assert_allclose([one.value, one.stderr, one.low], [-other.value, other.stderr, -other.high], rtol=1e-9)


def test_widening_moves_both_ends() -> None:
    """A widened interval reaches as much further on both sides and keeps its value."""
    assert Estimate(1.0, 0.1, 0.8, 1.2).widened(0.5) == Estimate(1.0, 0.1, pytest.approx(0.3), pytest.approx(1.7))


def test_one_row_has_no_standard_error() -> None:
    """A single row gives a value and says that its error is unknown."""
    sums = Sums.of(np.array([[1.0]]), np.array([0]), rewards=np.array([2.0]), propensities=np.array([1.0]))
    found = estimate(sums, Estimator.IPS)
    assert found.value == 2.0
    assert np.isnan(found.stderr)
