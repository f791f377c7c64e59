"""Post-stratified differences: valid at every look, and narrower where the values of a segment differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from experiments.analysis import Analysis, survey
from experiments.analysis.stratified import Strata
from experiments.statistics import sequential
from experiments.statistics.effect import effect_of
from experiments.statistics.moments import Moments
from experiments.statistics.sequential import Tuning

RATES = (0.05, 0.6)
LOOKS = np.unique(np.geomspace(200, 6000, 25).astype(int))


def cells(rng: np.random.Generator) -> np.ndarray:
    """Rows and conversions so far (look, value, variant, 2) of one experiment without an effect, looked at often."""
    value, variant = rng.integers(0, 2, LOOKS[-1]), rng.integers(0, 2, LOOKS[-1])
    sale = rng.random(LOOKS[-1]) < np.array(RATES)[value]
    each = np.zeros((LOOKS[-1], 2, 2, 2))
    each[np.arange(LOOKS[-1]), value, variant] = np.column_stack([np.ones(LOOKS[-1]), sale])
    return each.cumsum(axis=0)[LOOKS - 1]


def sums(cell: Sequence[float]) -> Moments:
    """The moments of rows and conversions."""
    return Moments.binary(rows=int(cell[0]), conversions=int(cell[1]))


def test_peeking_is_no_way_to_an_effect() -> None:
    """Of 100 experiments without one, each looked at 25 times, hardly any is ever told apart; and it is narrower."""
    rng = np.random.default_rng(11)
    tuning, told, widths = Tuning(), 0, []
    for _ in range(100):
        missed = False
        for look in cells(rng):
            strata = Strata("device", tuple({"a": sums(value[0]), "b": sums(value[1])} for value in look))
            plain = effect_of(*(sums(look[:, k].sum(axis=0)).estimate() for k in (0, 1)))
            found = strata.effect("a", "b") or plain
            limits = sequential.interval(found.difference, tuning)
            missed |= not limits.low <= 0 <= limits.high
        told += missed
        raw = sequential.interval(plain.difference, tuning)
        widths.append((limits.high - limits.low) / (raw.high - raw.low))
    assert told <= 0.05 * 100
    assert np.mean(widths) == pytest.approx(np.sqrt(0.14375 / 0.219375), abs=0.03), "what varies within values is left"


def test_a_value_with_few_rows_is_counted_with_the_largest() -> None:
    """Nothing is left out; with a single value that has enough, nothing is stratified."""
    large, small = {"a": sums((2000, 300)), "b": sums((2000, 320))}, {"a": sums((900, 500))}
    small["b"] = sums((950, 510))
    few = {"a": sums((30, 9)), "b": sums((20, 2))}
    found = Strata("device", (few, small, large)).effect("a", "b")
    both = {key: large[key] + few[key] for key in "ab"}
    assert found == Strata("device", (small, both)).effect("a", "b")
    assert found.rows == 5900
    assert Strata("device", (few, large)).effect("a", "b") is None


@pytest.mark.parametrize("covariate", [None, "age"])
def test_a_fixed_split_is_stratified_by_its_first_segment(world, full, covariate: str | None) -> None:
    """Where there is no covariate; the difference says so, moves little, and its limits are narrower."""
    body = full | {"policy": {"name": "fixed"}, "covariate": covariate, "metrics": full["metrics"]}
    body["segments"] = [{"attribute": "device"}]
    experiment = world.experiment(body)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(
        world.rows(
            experiment, 4000, rates=lambda context: (0.6, 0.65) if context["device"] == "mobile" else (0.05, 0.06)
        )
    )
    found = survey(analysis, experiment)
    contrast = found.of("sale").contrasts[0]
    moments = [analysis.ledger("sale").moments[key].estimate() for key in ("v0", "v1")]
    raw = sequential.interval(effect_of(*moments).difference, Tuning())
    if covariate is not None:
        assert contrast.method == "adjusted by its covariate"
        return
    assert contrast.method == "post-stratified by device"
    assert contrast.difference == pytest.approx(raw.estimate, abs=0.02)
    assert contrast.high - contrast.low < 0.9 * (raw.high - raw.low)
    assert {found.of("sale", segment).contrasts[0].method for segment in found.segments} == {""}
    assert found.of("value").contrasts[0].method == ""
