"""What the doubly robust sums say: the formulas written out, laws, and that nothing is ever not a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.adaptive.forms import pairs, values
from experiments.statistics.adaptive.inference import Limits, contrasts, lifts, log_e, means, one_sided
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.sequential import tau

EVERY = (means, contrasts, lifts, one_sided)
OFF = ~np.eye(5, dtype=bool)


def built(batch: tuple[Any, ...], *, default: list[float] | None = None) -> AdaptiveSums:
    """The sums of a batch."""
    sums = AdaptiveSums.cold(batch[2].shape[1], batch[1].shape[1], default=default)
    sums.add(*batch)
    return sums


def agree(one: Limits, other: Limits, places: Any = slice(None), *, scale: float = 1.0, shift: Any = 0.0) -> None:
    """Check that ``other`` is ``one`` at some places, in another unit."""
    for name in ("estimate", "low", "high"):
        found = (
            getattr(one, name)[..., places] if one.estimate.ndim == 1 else getattr(one, name)[np.ix_(places, places)]
        )
        shown = np.isfinite(found)
        np.testing.assert_allclose(getattr(other, name)[shown], (found * scale + shift)[shown], rtol=1e-7, atol=1e-9)
        assert np.array_equal(np.isfinite(getattr(other, name)), shown)


@pytest.mark.parametrize("zeros", [False, True])
def test_limits_are_those_of_the_definition(rows: Any, brute: Any, zeros: bool) -> None:
    """Estimate, variance and limits of every target and pair equal those written out over all rows."""
    batch = rows(900, zeros=zeros)
    chosen, outcomes, p, predictions = batch
    sums = built(batch)
    g, open_, law = brute(*batch)
    g = g[..., 0]
    residual = outcomes[:, 0] - predictions[np.arange(900), 0, chosen]
    spread = np.array([max(shrunk(residual, chosen == k), residual.var()) for k in range(3)])
    inverse = np.divide(1, p, out=np.zeros_like(p), where=p > 0)
    found, unit = contrasts(sums), sums.scale[0, 0] * np.array([6, 6, 6, 2, 2])
    single = means(sums)
    for i in range(5):
        for j in range(5):
            both = open_[i] & open_[j]
            x = (g[i] - (i != j) * g[j])[both]
            square = (law[i] - (i != j) * law[j])[both] ** 2 * inverse[both]
            seen = ((x - x.mean()) ** 2).sum()
            then = square.sum(axis=1) @ before(residual)[both]
            v = max(seen, (square @ spread).sum(), then)
            eta = 10_000 / tau(0.05) * (unit[i] + (i != j) * unit[j])
            half = np.sqrt((v + eta) * np.log((v + eta) / (eta * 0.05**2))) / len(x)
            limits, place = (single, (i,)) if i == j else (found, (i, j))
            assert limits.shown[place]
            assert limits.rows[place] == len(x)
            assert limits.estimate[place] == pytest.approx(x.mean())
            assert limits.variance[place] == pytest.approx(v)
            assert limits.high[place] == pytest.approx(x.mean() + half)
            assert limits.low[place] == pytest.approx(x.mean() - half)


def shrunk(residual: Any, own: Any) -> float:
    """A variant's own variance, begun with two rows of the pooled one."""
    return float((own.sum() * residual[own].var() + 2 * residual.var()) / (own.sum() + 2))


def before(residual: Any) -> Any:
    """The moving mean of squares before each row."""
    weight, total, result = 0.0, 0.0, np.zeros(len(residual))
    for t, square in enumerate(residual**2):
        result[t] = total / weight if weight > 0 else 0.0
        weight, total = 0.5**0.001 * weight + 1, 0.5**0.001 * total + square
    return result


def test_a_contrast_turned_round_is_its_negative(filled: Any) -> None:
    """What i is above j, j is below i; against itself there is nothing to say."""
    for channels in (1, 2):
        found = contrasts(filled(900, channels=channels, zeros=True))
        np.testing.assert_allclose(found.estimate, -found.estimate.T, atol=1e-12)
        np.testing.assert_allclose(found.low[OFF], -found.high.T[OFF], rtol=1e-9)
        assert np.array_equal(found.shown, OFF)


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.01, 100), seed=st.integers(0, 5), channels=st.sampled_from([1, 2]))
def test_the_unit_does_not_matter(scale: float, seed: int, channels: int) -> None:
    """Outcomes and forecasts in another unit give limits in that unit, lifts the same; so do both units of a ratio."""
    chosen, outcomes, p, predictions = wandering(800, channels=channels, seed=seed)
    units = np.array([scale, 1 / scale])[:channels]
    one = built((chosen, outcomes, p, predictions))
    other = built((chosen, outcomes * units, p, predictions * units[:, None]))
    factor = scale if channels == 1 else scale**2
    for what in (means, contrasts, one_sided):
        agree(what(one), what(other), slice(None) if what is means else range(5), scale=factor)
    agree(lifts(one), lifts(other), range(5))
    np.testing.assert_allclose(log_e(one), log_e(other), atol=1e-7)


@settings(max_examples=10, deadline=None)
@given(shift=st.floats(-50, 50), seed=st.integers(0, 5))
def test_the_origin_does_not_matter(shift: float, seed: int) -> None:
    """Outcomes, forecasts and default moved by as much move means and leave contrasts."""
    chosen, outcomes, p, predictions = wandering(800, seed=seed)
    one = built((chosen, outcomes, p, predictions))
    other = built((chosen, outcomes + shift, p, predictions + shift), default=[shift])
    agree(means(one), means(other), shift=shift)
    agree(contrasts(one), contrasts(other), range(5))


@settings(max_examples=10, deadline=None)
@given(order=st.permutations([0, 1, 2]), channels=st.sampled_from([1, 2]))
def test_the_order_of_variants_does_not_matter(order: list[int], channels: int) -> None:
    """Variants in another order have the same limits, in that order."""
    chosen, outcomes, p, predictions = wandering(800, channels=channels)
    places = np.argsort(order)
    one = built((chosen, outcomes, p, predictions))
    other = built((places[chosen], outcomes, p[:, order], predictions[:, :, order]))
    everyone = [*order, 3, 4]
    for what in EVERY:
        agree(what(one), what(other), everyone)
    agree(contrasts(one.widened(order)), contrasts(other), range(5))


def wandering(n: int, *, channels: int = 1, seed: int = 0) -> tuple[Any, ...]:
    """Rows that need no fixture."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 4.0), size=n) * 0.8 + 0.2 / 3
    chosen = np.minimum((p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), 2)
    outcomes = (rng.random((n, channels)) < 0.3 + 0.1 * chosen[:, None]) * rng.exponential(size=(n, channels))
    return chosen, outcomes, p, rng.uniform(0.1, 0.4, (n, channels, 3))


def test_lanes_give_what_single_streams_give(filled: Any) -> None:
    """Limits of stacked sums are the limits of each."""
    for channels in (1, 2):
        singles = [filled(600, channels=channels, seed=seed) for seed in range(3)]
        lanes = AdaptiveSums.stack(singles)
        for what in EVERY:
            whole = what(lanes)
            for k, single in enumerate(singles):
                for name in ("estimate", "low", "high", "variance", "rows", "shown"):
                    np.testing.assert_allclose(getattr(whole, name)[k], getattr(what(single), name), rtol=1e-12)
        np.testing.assert_allclose(log_e(lanes)[1], log_e(singles[1]), rtol=1e-12)


def test_an_added_variant_changes_nothing_of_the_others(filled: Any) -> None:
    """Nor of UNIFORM and SERVED; the new one is not shown."""
    for channels in (1, 2):
        sums = filled(900, channels=channels)
        wider, here = sums.widened([1, None, 0, 2]), [2, 0, 3, 4, 5]
        for what in EVERY:
            known, found = what(sums), what(wider)
            grid = (here,) if known.rows.ndim == 1 else np.ix_(here, here)
            np.testing.assert_array_equal(found.low[grid], known.low)
            assert not found.shown[..., 1].any()


def test_a_removed_variant_changes_nothing_of_the_others(filled: Any) -> None:
    """Its part of UNIFORM and SERVED stays in them, bounded by the pooled variance."""
    for channels in (1, 2):
        sums = filled(900, channels=channels)
        for what in EVERY:
            known, found = what(sums), what(sums.widened([2, 0]))
            kept = ([2, 0],) if known.rows.ndim == 1 else np.ix_([2, 0], [2, 0])
            same = found.low[:2] if known.rows.ndim == 1 else found.low[:2, :2]
            np.testing.assert_allclose(same, known.low[kept], rtol=1e-12)
            np.testing.assert_allclose(
                found.estimate[..., 2:],
                known.estimate[..., 3:][[2, 0, 3, 4]] if known.rows.ndim == 2 else known.estimate[3:],
            )
            np.testing.assert_allclose(
                found.low[..., 2:],
                known.low[..., 3:][[2, 0, 3, 4]] if known.rows.ndim == 2 else known.low[3:],
                rtol=0.02,
                atol=0.02,
            )


def test_a_lift_is_refuted_exactly_beyond_its_limits(filled: Any) -> None:
    """At a limit the squared sum of N - φ D meets its boundary; a little further in it does not reach it."""
    sums = filled(3000)
    found, forms = lifts(sums), pairs(sums)
    for limit, inward in ((found.low, 1e-6), (found.high, -1e-6)):
        for move, beyond in ((0.0, True), (inward, False)):
            total, v, unit = forms.at(np.where(found.shown, limit, 0.0) + 1 + move)
            eta = unit * 10_000 / tau(0.05)
            outside = total**2 >= (v + eta) * np.log((v + eta) / (eta * 0.05**2)) * (1 - 1e-9)
            assert (outside[found.shown] == beyond).all()


def test_limits_at_zero_and_evidence_say_the_same(filled: Any) -> None:
    """A contrast leaves out zero exactly where its e-value reaches 1/α, and where the lift leaves out zero."""
    for seed in range(5):
        sums = filled(3000, seed=seed)
        found = contrasts(sums)
        refuted = (found.low > 0) | (found.high < 0)
        assert np.array_equal(log_e(sums) >= np.log(20), refuted)
        relative = lifts(sums)
        assert np.array_equal(((relative.low > 0) | (relative.high < 0))[relative.shown], refuted[relative.shown])
        at_limit = log_e(sums, against=float(found.high[0, 1]))
        assert at_limit[0, 1] == pytest.approx(np.log(20))


def test_forms_may_be_shared(filled: Any) -> None:
    """Worked out once by the caller, they give what each function finds by itself."""
    for channels in (1, 2):
        sums = filled(900, channels=channels)
        shared = pairs(sums)
        np.testing.assert_array_equal(means(sums, forms=values(sums)).low, means(sums).low)
        for what in (contrasts, lifts, one_sided):
            np.testing.assert_array_equal(what(sums, forms=shared).low, what(sums).low)
        np.testing.assert_array_equal(log_e(sums, forms=shared), log_e(sums))


def test_a_margin_is_proved_sooner_than_a_difference(filled: Any) -> None:
    """One-sided limits lie inside the two-sided ones, and a smaller factor lies lower."""
    sums = filled(3000)
    one, two = one_sided(sums), contrasts(sums)
    assert (one.low[OFF] > two.low[OFF]).all()
    assert (one.high[OFF] < two.high[OFF]).all()
    assert (one_sided(sums, factor=0.9).low[OFF] > one.low[OFF]).all()


def test_a_ratio_of_a_constant_is_the_mean(rows: Any) -> None:
    """With a denominator that is always 2, and forecast so, ratios are half of the means, limits and all."""
    chosen, outcomes, p, predictions = rows(900)
    two = np.full_like(outcomes, 2.0)
    ratio = built((chosen, np.hstack([outcomes, two]), p, np.concatenate([predictions, 0 * predictions + 2], axis=1)))
    plain = built((chosen, outcomes, p, predictions))
    agree(means(plain), means(ratio), scale=0.5)
    agree(contrasts(plain), contrasts(ratio), range(5), scale=0.5)
    agree(lifts(plain), lifts(ratio), range(5))


def test_a_ratio_is_the_ratio_of_its_channels(filled: Any) -> None:
    """Its estimate divides the doubly robust sums, and its limits lie on both sides of it."""
    sums = filled(2000, channels=2)
    found, forms = means(sums), values(sums)
    np.testing.assert_allclose(found.estimate, forms.first / forms.second)
    assert ((found.low < found.estimate) & (found.estimate < found.high)).all()
    differences = contrasts(sums)
    np.testing.assert_allclose(differences.estimate, found.estimate[:, None] - found.estimate[None, :], atol=1e-12)


def sound(found: Limits) -> None:
    """Check that no array has what is not a number, and that shown limits are finite and in order."""
    for name in ("estimate", "low", "high", "variance", "rows"):
        assert not np.isnan(getattr(found, name)).any(), name
    for name in ("estimate", "low", "high"):
        assert np.isfinite(getattr(found, name)[found.shown]).all()
    assert (found.low <= found.high).all()


def degenerate() -> dict[str, AdaptiveSums]:
    """Sums in which something is missing."""
    result = {f"cold {k} {c}": AdaptiveSums.cold(k, c) for k in (1, 3) for c in (1, 2)}
    half = np.full((600, 2), 0.5)
    chosen = np.arange(600) % 2
    for channels in (1, 2):
        nothing, forecast = np.zeros((600, channels)), np.zeros((600, channels, 2))
        result[f"one row {channels}"] = built((chosen[:1], nothing[:1], half[:1], forecast[:1]))
        result[f"no conversions {channels}"] = built((chosen, nothing, half, forecast))
        result[f"equal values {channels}"] = built((chosen, nothing + 3, half, forecast))
        only = np.tile([1.0, 0.0], (600, 1))
        varied = nothing + np.arange(600)[:, None] % 3
        result[f"never served {channels}"] = built((chosen * 0, varied, only, forecast))
        result[f"huge {channels}"] = built((chosen, varied * 1e200, half, forecast))
        result[f"tiny p {channels}"] = built((chosen * 0, varied, np.tile([1.0, 1e-300], (600, 1)), forecast + 1))
        result[f"one variant {channels}"] = built((chosen * 0, varied, half[:, :1] * 2, forecast[..., :1]))
        result[f"negative {channels}"] = built((chosen, -varied, half, forecast))
    return result


DEGENERATE = degenerate()


@pytest.mark.parametrize("name", DEGENERATE)
def test_what_is_missing_is_not_shown(name: str) -> None:
    """No conversions, one row, equal values, a variant never served, sums beyond floats: never not-a-number."""
    sums = DEGENERATE[name]
    for what in EVERY:
        sound(what(sums))
        if name.startswith(("cold", "one row", "no conversions", "equal", "huge")):
            assert not what(sums).shown.any()
    assert np.isfinite(log_e(sums)).all()
    if name == "never served 1":
        assert means(sums).shown.tolist() == [True, False, True, True]


def test_damaged_sums_are_not_shown(filled: Any) -> None:
    """Not-a-number or infinity in every array gives nothing shown that is not a number."""
    for channels in (1, 2):
        for bad in (np.nan, np.inf):
            for name, array in filled(400, channels=channels).to_arrays().items():
                arrays = filled(400, channels=channels).to_arrays() | {name: np.full_like(array, bad)}
                for what in EVERY:
                    sound(what(AdaptiveSums.from_arrays(arrays)))


def test_a_level_is_between_0_and_1(filled: Any) -> None:
    """What is not a level is refused."""
    for what in (*EVERY, log_e):
        with pytest.raises(InvalidInput, match="alpha"):
            what(filled(200), alpha=0.0)
        with pytest.raises(InvalidInput, match="n_star"):
            what(filled(200), n_star=0.0)
