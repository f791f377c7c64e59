"""The sums of a log: additive in any split, blind to order, equal to the formulas written out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bandit.offpolicy import Estimator, Sums, Term, difference, estimate, row_terms
from bandit.validation import InvalidInput


def draw_log(seed: int, rows: int, *, arms: int = 4, offset: float = 0.0) -> dict[str, np.ndarray]:
    """A random log with whole distributions, a target, a model, and units that repeat."""
    rng = np.random.default_rng(seed)
    logged = rng.dirichlet(np.ones(arms), rows)
    chosen = np.array([rng.choice(arms, p=p) for p in logged])
    return {
        "target": rng.dirichlet(np.ones(arms), rows),
        "chosen": chosen,
        "rewards": rng.normal(offset, 1.0, rows),
        "propensities": logged[np.arange(rows), chosen],
        "logged": logged,
        "model": rng.normal(offset, 1.0, (rows, arms)),
        "units": rng.integers(0, max(rows // 2, 1), rows),
    }


def part(log: dict[str, np.ndarray], rows: np.ndarray) -> Sums:
    """The sums of some rows of a log."""
    return Sums.of(**{name: array[rows] for name, array in log.items()})


def same(one: Sums, other: Sums) -> None:
    """Assert that two sums, and every estimate of them, agree to 1e-9."""
    assert one.rows == other.rows
    for name in ("mean", "scatter", "clusters"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-9)
    for name in ("largest_weight", "unsupported", "lowest_reward", "highest_reward", "effective_sample_size"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9)
    for estimator in Estimator:
        for question in (estimate, difference):
            mine, theirs = question(one, estimator), question(other, estimator)
            assert_allclose([mine.value, mine.stderr], [theirs.value, theirs.stderr], rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(2, 60), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_merge_of_any_split_is_the_whole(seed: int, rows: int, cuts: list[int]) -> None:
    """However the rows are cut into batches, the merged sums are those of one batch."""
    log = draw_log(seed, rows, offset=3.0)
    edges = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    parts = [part(log, np.arange(low, high)) for low, high in pairwise(edges)]
    merged = parts[0]
    for other in parts[1:]:
        merged = merged.merge(other)
    same(merged, part(log, np.arange(rows)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(2, 60))
def test_the_order_of_rows_does_not_matter(seed: int, rows: int) -> None:
    """A permutation of the rows changes no estimate."""
    log = draw_log(seed, rows)
    order = np.random.default_rng(seed).permutation(rows)
    same(part(log, order), part(log, np.arange(rows)))


def test_terms_are_the_formulas_written_out() -> None:
    """The compiled pass agrees with the definitions in plain numpy."""
    log = draw_log(1, 500)
    rows = np.arange(500)
    weights = log["target"][rows, log["chosen"]] / log["propensities"]
    terms = row_terms(
        log["target"], log["chosen"], rewards=log["rewards"], propensities=log["propensities"], model=log["model"]
    )
    assert_allclose(terms[Term.WEIGHT], weights, rtol=1e-14)
    assert_allclose(terms[Term.WEIGHTED_REWARD], weights * log["rewards"], rtol=1e-14)
    assert_allclose(terms[Term.MODELLED], (log["target"] * log["model"]).sum(axis=1), rtol=1e-12)
    errors = log["rewards"] - log["model"][rows, log["chosen"]]
    assert_allclose(terms[Term.CORRECTION], weights * errors, rtol=1e-14)
    assert_allclose(terms[Term.REWARD], log["rewards"])


def test_weights_facts_are_the_formulas_written_out() -> None:
    """Sum, maximum and effective sample size of the weights follow their definitions."""
    log = draw_log(2, 300)
    sums = part(log, np.arange(300))
    weights = log["target"][np.arange(300), log["chosen"]] / log["propensities"]
    assert sums.sum_of_weights == pytest.approx(weights.sum(), rel=1e-12)
    assert sums.largest_weight == weights.max()
    assert sums.effective_sample_size == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-12)


def test_rewards_far_from_zero_keep_their_variance() -> None:
    """A billion added to every reward leaves the standard error of the logged policy as it was."""
    near, far = (draw_log(3, 400, offset=offset) for offset in (0.0, 1e9))
    near_sums, far_sums = (part(log, np.arange(200)).merge(part(log, np.arange(200, 400))) for log in (near, far))
    reward = np.array([int(Term.REWARD)])
    assert_allclose(far_sums.covariance_of_means(reward), near_sums.covariance_of_means(reward), rtol=1e-2)


def test_repeating_every_row_under_its_unit_adds_no_certainty() -> None:
    """Three identical rows a unit, clustered, have the standard error of one."""
    log = draw_log(4, 200)
    log["units"] = np.arange(200)
    once, thrice = part(log, np.arange(200)), part(log, np.repeat(np.arange(200), 3))
    plain = Sums.of(**{name: array for name, array in log.items() if name != "units"})
    for estimator in Estimator:
        assert estimate(thrice, estimator).stderr == pytest.approx(estimate(once, estimator).stderr, rel=1e-9)
        assert estimate(plain, estimator).stderr == pytest.approx(estimate(once, estimator).stderr, rel=1e-9)


def test_unknown_propensities_stay_unknown() -> None:
    """Without propensities every weighted estimate is NaN, and the direct method and the log's own mean are not."""
    log = draw_log(5, 100)
    sums = Sums.of(log["target"], log["chosen"], rewards=log["rewards"], model=log["model"])
    for estimator in Estimator:
        assert np.isnan(estimate(sums, estimator).value) == estimator.needs_propensities
        assert np.isnan(estimate(sums, estimator).stderr) == estimator.needs_propensities
    assert np.isnan(sums.effective_sample_size)
    assert np.isnan(sums.largest_weight)


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1, np.nan, np.inf])
def test_impossible_propensities_are_refused(wrong: float) -> None:
    """A probability outside (0, 1] never becomes a weight."""
    log = draw_log(6, 10)
    log["propensities"][3] = wrong
    with pytest.raises(InvalidInput, match=r"propensities must be in \(0, 1\]"):
        part(log, np.arange(10))


def test_the_share_out_of_support_is_summed() -> None:
    """U is the mean probability that the target puts where the logged policy put none."""
    target = np.array([[0.9, 0.1], [0.5, 0.5]])
    sums = Sums.of(
        target,
        np.array([0, 1]),
        rewards=np.zeros(2),
        propensities=np.array([1.0, 0.5]),
        logged=np.array([[1.0, 0.0], [0.5, 0.5]]),
    )
    assert sums.unsupported_share == pytest.approx(0.05)
