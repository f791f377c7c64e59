from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics import segments
from experiments.statistics.segments import Spread

tables = st.lists(st.tuples(st.floats(-10, 10), st.floats(1e-4, 10)), min_size=1, max_size=12)


@given(tables, st.sampled_from(Spread))
def test_points_lie_between_the_estimate_and_the_common_mean(table: list[tuple[float, float]], spread: Spread) -> None:
    """Shrinking never passes the mean, never moves away from it, and gives no NaN."""
    y, v = np.array(table).T
    found = segments.shrunk(y, v, spread=spread)
    assert np.isfinite(found.points).all()
    assert np.all(np.abs(found.points - found.mean) <= np.abs(y - found.mean) + 1e-9)
    assert np.all((found.points - found.mean) * (y - found.mean) >= -1e-9)
    assert np.all(found.variances >= 0)


@given(tables, st.floats(-5, 5), st.floats(0.01, 100))
def test_translation_and_scale(table: list[tuple[float, float]], shift: float, scale: float) -> None:
    """Another origin and another unit move and scale the points."""
    y, v = np.array(table).T
    for spread in Spread:
        moved = segments.shrink(shift + scale * y, scale**2 * v, spread=spread)
        expected = shift + scale * segments.shrink(y, v, spread=spread)
        assert moved == pytest.approx(expected, abs=1e-4 * scale * (1 + np.abs(y).max()))


def test_alike_segments_are_pooled_and_different_ones_left_alone() -> None:
    """Differences that chance explains go; those that it does not explain stay."""
    assert segments.shrink([1.0, 1.1, 0.9], [1.0, 1.0, 1.0]) == pytest.approx([1.0, 1.0, 1.0])
    assert segments.shrink([0.0, 100.0], [1.0, 1.0]) == pytest.approx([0.0, 100.0], abs=0.05)


def test_restricted_likelihood_is_at_its_maximum() -> None:
    """The spread found by scoring has the greatest restricted likelihood of a fine grid."""
    y, v = np.array([0.1, 0.4, -0.2, 0.8, 0.3]), np.array([0.02, 0.05, 0.01, 0.2, 0.03])

    def likelihood(spread: float) -> float:
        w = 1 / (v + spread)
        mean = w @ y / w.sum()
        return float(-0.5 * (np.log(v + spread).sum() + np.log(w.sum()) + w @ (y - mean) ** 2))

    found = segments.spread_of(y, v, spread=Spread.REML)
    assert likelihood(found) >= max(likelihood(s) for s in np.linspace(0, 1, 2_001)) - 1e-12


def test_segments_without_an_estimate_get_what_is_common() -> None:
    """NaN, infinite, and variances of zero are no estimates; without any there is nothing but zero."""
    found = segments.shrunk([1.0, np.nan, 3.0, 5.0], [0.1, 1.0, 0.1, 0.0])
    assert found.points[1] == found.points[3] == found.mean == pytest.approx(2.0)
    assert segments.shrink([np.nan], [1.0]).tolist() == [0.0]
    assert segments.shrink([], []).tolist() == []


def test_shrinking_is_nearer_to_the_truth() -> None:
    """Over many drawn tables of segments, shrunk points err less than the estimates do."""
    rng = np.random.default_rng(3)
    truth = rng.normal(0.1, 0.02, (300, 8))
    v = rng.uniform(1e-4, 3e-3, (300, 8))
    y = rng.normal(truth, np.sqrt(v))
    points = np.stack([segments.shrink(a, b) for a, b in zip(y, v, strict=True)])
    assert ((points - truth) ** 2).mean() < 0.7 * ((y - truth) ** 2).mean()


def test_for_whom() -> None:
    """Each segment has the variant that is believed best for it, or the lowest where less is better."""
    y, v = [[0.1, 0.3], [0.4, 0.2]], [[1e-5, 1e-5], [1e-5, 1e-5]]
    assert segments.for_whom(y, v)[1].tolist() == [1, 0]
    assert segments.for_whom(y, v, increase=False)[1].tolist() == [0, 1]
