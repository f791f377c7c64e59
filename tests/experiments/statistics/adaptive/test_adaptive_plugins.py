"""Forecasts: from earlier rows only, refitted by number of rows, whoever reads them in what portions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.adaptive.bounded import BoundedSums
from experiments.statistics.adaptive.plugins import STRENGTH, ArmMeans, Ridge, feed
from experiments.statistics.adaptive.sums import NAMES, AdaptiveSums


def stream(n: int, *, seed: int = 0) -> dict[str, Any]:
    """Rows whose outcome depends on a feature, with two channels."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2))
    chosen = rng.integers(0, 3, n)
    first = 2 + features[:, 0] * (chosen - 1) + 0.1 * rng.normal(size=n)
    return {
        "chosen": chosen,
        "outcomes": np.column_stack([first, first**2]),
        "p": np.full((n, 3), 1 / 3),
        "features": features,
    }


def plugins() -> list[Any]:
    """One of each kind, cold."""
    return [ArmMeans(3, 2), Ridge(3, 2, 2)]


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 700), max_size=6), kind=st.integers(0, 1))
def test_portions_do_not_matter(cuts: list[int], kind: int) -> None:
    """However the rows are cut into calls, sums and forecasts are the same to the bit."""
    rows = stream(700)
    whole, parts = plugins()[kind], plugins()[kind]
    one, other = AdaptiveSums.cold(3, 2), AdaptiveSums.cold(3, 2)
    feed(one, whole, **rows)
    for low, high in pairwise([0, *sorted(cuts), 700]):
        feed(other, parts, **{name: array[low:high] for name, array in rows.items()})
    assert all(np.array_equal(one.to_arrays()[name], other.to_arrays()[name]) for name in NAMES)
    for name, array in whole.to_arrays().items():
        assert np.array_equal(array, parts.to_arrays()[name])


@pytest.mark.parametrize("kind", [0, 1])
def test_a_row_is_not_forecast_from_itself(kind: int) -> None:
    """Another outcome of a row changes no forecast before the next refit after it."""
    rows = stream(600)
    one, other = plugins()[kind], plugins()[kind]
    changed = rows["outcomes"].copy()
    changed[513:] *= 100
    for plugin, outcomes in ((one, rows["outcomes"]), (other, changed)):
        plugin.add(rows["chosen"], outcomes, rows["features"])
    fitted = "fitted" if kind == 0 else "theta"
    assert np.array_equal(one.to_arrays()[fitted], other.to_arrays()[fitted])
    assert one.stretch() == other.stretch() == 168


def test_arm_means_are_shrunk() -> None:
    """Each is its own mean with twenty rows of the mean of all."""
    rows = stream(512)
    plugin = ArmMeans(3, 2)
    plugin.add(rows["chosen"], rows["outcomes"], rows["features"])
    found = plugin.predict(rows["features"][:1])[0]
    for k in range(3):
        own = rows["outcomes"][rows["chosen"] == k]
        expected = (own.sum(axis=0) + STRENGTH * rows["outcomes"].mean(axis=0)) / (len(own) + STRENGTH)
        np.testing.assert_allclose(found[:, k], expected)


def test_arm_means_have_lanes() -> None:
    """Each lane forecasts as its rows alone do."""
    several = [stream(300, seed=seed) for seed in range(3)]
    lanes = ArmMeans(3, 2, lanes=(3,))
    sums = AdaptiveSums.cold(3, 2, lanes=(3,))
    feed(sums, lanes, **{name: np.stack([rows[name] for rows in several]) for name in several[0]})
    for k, rows in enumerate(several):
        single, alone = ArmMeans(3, 2), AdaptiveSums.cold(3, 2)
        feed(alone, single, **rows)
        assert np.array_equal(lanes.fitted[k], single.fitted)
        assert np.array_equal(sums.total[k], alone.total)


def test_a_regression_narrows_what_features_explain() -> None:
    """Its residuals are a small part of those of the means, and so is the variance."""
    rows = stream(4096)
    by_mean, by_ridge = AdaptiveSums.cold(3, 2), AdaptiveSums.cold(3, 2)
    feed(by_mean, ArmMeans(3, 2), **rows)
    feed(by_ridge, Ridge(3, 2, 2), **rows)
    assert by_ridge.residual[3, :3].sum() < 0.2 * by_mean.residual[3, :3].sum()


def test_forecasts_stay_among_the_outcomes() -> None:
    """However far a feature lies out."""
    rows = stream(512)
    plugin = Ridge(3, 2, 2)
    plugin.add(rows["chosen"], rows["outcomes"], rows["features"])
    far = plugin.predict(np.array([[1e6, -1e6]]))[0]
    assert (far >= rows["outcomes"].min(axis=0)[:, None]).all()
    assert (far <= rows["outcomes"].max(axis=0)[:, None]).all()


@pytest.mark.parametrize("kind", [0, 1])
def test_knowledge_moves_with_the_variants(kind: int) -> None:
    """Known variants are forecast as before, a new one as all are together; what was removed stays in that."""
    rows = stream(600)
    plugin = plugins()[kind]
    plugin.add(rows["chosen"], rows["outcomes"], rows["features"])
    wider = plugin.widened([2, None, 0])
    before, after = plugin.predict(rows["features"]), wider.predict(rows["features"])
    np.testing.assert_array_equal(after[..., [0, 2]], before[..., [2, 0]])
    assert after[..., 1].mean(axis=0) == pytest.approx(rows["outcomes"].mean(axis=0), rel=0.1)
    again = type(plugin).from_arrays(wider.to_arrays())
    np.testing.assert_array_equal(again.predict(rows["features"]), after)
    assert wider.stretch() == plugin.stretch()
    if kind == 0:
        assert wider.count.sum() == 600
    else:
        np.testing.assert_allclose(wider.outer.sum(axis=0), plugin.outer.sum(axis=0))


@pytest.mark.parametrize("kind", [0, 1])
def test_a_cold_plugin_forecasts_the_default(kind: int) -> None:
    """Also after variants were added; damaged arrays are refused."""
    plugin = (ArmMeans(2, default=[3.0]), Ridge(2, 1, default=[3.0]))[kind]
    for same in (plugin, plugin.widened([0, None, 1])):
        assert (same.predict(np.zeros((4, 1))) == 3.0).all()
    with pytest.raises(InvalidInput):
        type(plugin).from_arrays({})
    with pytest.raises(InvalidInput):
        type(plugin).from_arrays(plugin.to_arrays() | {"rows": np.zeros(2)})


def test_the_audit_line_gets_the_same_forecasts() -> None:
    """Fed beside the sums, it is what it would be with their forecasts."""
    rows = stream(300)
    rows["outcomes"] = np.clip(rows["outcomes"][:, :1], 0.0, 5.0)
    audit, expected, plugin, twin = (
        BoundedSums.cold(3, high=5.0),
        BoundedSums.cold(3, high=5.0),
        ArmMeans(3),
        ArmMeans(3),
    )
    feed(AdaptiveSums.cold(3), plugin, **rows, audit=audit)
    for t in range(300):
        row = {name: array[t : t + 1] for name, array in rows.items()}
        forecast = twin.predict(row["features"])[:, 0]
        expected.add(row["chosen"], row["outcomes"][:, 0], row["p"], forecast)
        twin.add(row["chosen"], row["outcomes"], row["features"])
    assert np.array_equal(audit.first, expected.first)
