from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bandit.validation import InvalidInput
from experiments.statistics.adaptive.inference import contrasts
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.planning.batches import Batches
from experiments.statistics.planning.moving import Rule, Simulated, simulate


def test_batches_are_the_rows_one_by_one() -> None:
    """The product's own sums of the same rows, forecasts and probabilities: estimates to 1e-9, limits to 1%."""
    rng, runs, arms = np.random.default_rng(2), 2, 3
    batches, rows = Batches(runs, arms), AdaptiveSums.cold(arms, lanes=(runs,))
    for number in range(30):
        p = rng.dirichlet(np.full(arms, 3.0), runs)
        p[:, 1] *= number < 20  # a variant that is dropped
        p /= p.sum(axis=1, keepdims=True)
        chosen = (p.cumsum(axis=1)[:, None, :] > rng.random((runs, 200, 1))).argmax(axis=2)
        values = (rng.random((runs, 200)) < 0.1 + 0.1 * chosen).astype(float)
        laws, forecasts = (np.repeat(each[:, None, :], 200, axis=1) for each in (p, batches.mean))
        rows.add(chosen, values[:, :, None], laws, forecasts[:, :, None, :])
        shown = chosen[:, :, None] == np.arange(arms)
        counts, total = shown.sum(axis=1).astype(float), (shown * values[:, :, None]).sum(axis=1)
        batches.add(counts, total, total, p, rewarded=total)
    part = (..., slice(arms), slice(arms))
    for name in ("rows", "total", "square", "cross"):
        np.testing.assert_allclose(getattr(batches.sums, name)[part], getattr(rows, name)[part], rtol=1e-9)
    for name in ("residual", "rewarded"):
        np.testing.assert_allclose(getattr(batches.sums, name), getattr(rows, name), atol=1e-9)
    np.testing.assert_allclose(batches.sums.recent, rows.recent, rtol=0.1)
    mine, theirs = contrasts(batches.sums), contrasts(rows)
    off = ~np.eye(arms, dtype=np.bool_)
    np.testing.assert_allclose(mine.estimate[part][:, off], theirs.estimate[part][:, off], rtol=1e-9)
    half, other = ((found.high - found.low)[part][:, off] for found in (mine, theirs))
    np.testing.assert_allclose(half, other, rtol=0.02)


def test_exploring_more_and_dropping_prove_sooner() -> None:
    """Rates .1 and one of .16: nothing false is proved; more exploration, then dropping, need fewer rows each."""
    found = [
        simulate([0.1, 0.1, 0.1, 0.16], rule=rule, horizon=30_000, n_star=5_000, runs=60)
        for rule in (Rule(0.2), Rule(0.4), Rule(0.4, drop=True))
    ]
    assert all(each.wrong == 0 for each in found)
    assert found[0].within(0.5) > found[1].within(0.5) > found[2].within(0.5)
    assert found[0].regret < found[1].regret < 1


def test_means_are_planned_like_proportions_of_the_same_variance() -> None:
    """What matters is the difference in standard deviations."""
    proportions = simulate([0.3, 0.4], rule=Rule(0.2), horizon=20_000, n_star=2_000, runs=80)
    means = simulate([3.0, 4.0], variance=22.5, rule=Rule(0.2), horizon=20_000, n_star=2_000, runs=80)
    assert np.mean(means.rows) == pytest.approx(np.mean(proportions.rows), rel=0.15)


def test_runs_without_a_proof_are_counted_as_such() -> None:
    """A horizon that is too near proves nothing, and a share of runs that is not reached takes for ever."""
    none = simulate([0.1, 0.101], rule=Rule(0.2), horizon=500, runs=5)
    assert none.within(0.5) == math.inf
    some = Simulated(100.0, np.array([math.inf, 10.0, 20.0, 30.0]), 0.0, 0.5)
    assert [some.within(chance) for chance in (0.25, 0.5, 0.75, 0.76)] == [10.0, 20.0, 30.0, math.inf]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate([0.1], rule=Rule(0.2), horizon=500), "at least two"),
        (lambda: simulate([0.1, 0.1], rule=Rule(0.2), horizon=500), "better than all others"),
        (lambda: simulate([0.1, 1.1], rule=Rule(0.2), horizon=500), "between 0 and 1"),
        (lambda: simulate([1, 2], variance=0, rule=Rule(0.2), horizon=500), "variance"),
        (lambda: simulate([0.1, 0.2], rule=Rule(0), horizon=500), "exploration"),
        (lambda: simulate([0.1, 0.2], rule=Rule(0.1), horizon=0), "horizon"),
    ],
)
def test_worlds_that_cannot_be_planned_are_refused(call: Callable[[], object], message: str) -> None:
    """In a sentence with what was found."""
    with pytest.raises(InvalidInput, match=message):
        call()
