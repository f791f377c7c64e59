"""What the sums say: by which engine, at which level, and in which words where nothing can be said."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import (
    SERVED,
    UNIFORM,
    Analysis,
    ContrastFinding,
    Engine,
    MetricFindings,
    Survey,
    VariantFinding,
    findings,
    survey,
)
from experiments.analysis.families import e_bh_adjusted
from experiments.statistics import sequential
from experiments.statistics.adaptive import inference
from experiments.statistics.moments import Moments
from experiments.statistics.multiplicity import e_bh
from experiments.statistics.sequential import Tuning

FIXED = {"policy": {"name": "fixed"}}


def analysed(world, body: dict[str, Any], count: int, *, variants: int = 2, rates=(0.1, 0.1), law=None):
    """An experiment and what ``count`` rows of it come to."""
    experiment = world.experiment(body, variants=variants)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, count, rates=rates, law=law))
    return experiment, analysis


def numbers(found: Survey) -> list[tuple[str, object]]:
    """Every value that a survey holds, with the name of its field."""
    told: list[tuple[str, object]] = []
    waiting: list[object] = [*found.findings.values(), found.balance]
    while waiting:
        value = waiting.pop()
        if isinstance(value, MetricFindings | VariantFinding | ContrastFinding):
            for part in fields(value):
                told.append((part.name, getattr(value, part.name)))
                waiting.append(getattr(value, part.name))
        elif isinstance(value, tuple):
            waiting.extend(value)
    return told


def test_a_fixed_split_is_read_by_its_own_means(world, plain) -> None:
    """The numbers are those of the plain sequences over the rows."""
    experiment, analysis = analysed(world, plain | FIXED, 3000, rates=(0.1, 0.2))
    found = findings(analysis, experiment, "sale")
    moments = analysis.ledger("sale").moments
    control, treatment = (sequential.estimate_mean(moments[key]) for key in ("v0", "v1"))
    difference = sequential.difference(control, treatment)
    limits = sequential.interval(difference, Tuning())
    (contrast,) = found.contrasts
    assert (found.engine, found.family, found.alpha) == (Engine.FIXED, 1, 0.05)
    assert (contrast.variant, contrast.other) == ("v1", "v0")
    assert (contrast.difference, contrast.low, contrast.high) == (limits.estimate, limits.low, limits.high)
    assert contrast.p_value == pytest.approx(sequential.p_value(difference, Tuning()))
    assert contrast.lift_low == pytest.approx(sequential.relative_lift(control, treatment, Tuning()).low)
    assert contrast.worst == pytest.approx(sequential.lower_limit(difference, Tuning()))
    assert found.variants[1].low == pytest.approx(sequential.interval(treatment, Tuning()).low)
    assert found.served == ()


def test_a_second_weight_vector_changes_the_engine(world, plain) -> None:
    """Pooled means of a split that was changed mislead wherever rates drift: the doubly robust sums take over."""
    experiment, analysis = analysed(world, plain | FIXED, 2000)
    assert survey(analysis, experiment).engine is Engine.FIXED
    analysis.add(world.rows(experiment, 500, law=lambda _: [0.9, 0.1], after=2000))
    assert survey(analysis, experiment).engine is Engine.ADAPTIVE


def test_a_bandit_is_read_by_the_doubly_robust_sums(world, plain) -> None:
    """Also while it has not moved anything yet; the numbers are those of the engine over the same sums."""
    experiment, analysis = analysed(world, plain, 3000, variants=3, rates=(0.1, 0.2, 0.3), law=lambda _: world.law(3))
    found = findings(analysis, experiment, "sale")
    sums = analysis.ledger("sale").sums
    limits = inference.contrasts(sums, alpha=0.05 / 2)
    assert (found.engine, found.family) == (Engine.ADAPTIVE, 2)
    assert [contrast.low for contrast in found.contrasts] == pytest.approx([limits.low[1, 0], limits.low[2, 0]])
    means = inference.means(sums)
    assert [variant.high for variant in found.variants] == pytest.approx(means.high[:3].tolist())
    assert [contrast.other for contrast in found.served] == [UNIFORM, "v0", "v1", "v2"]
    assert {contrast.variant for contrast in found.served} == {SERVED}
    assert found.served_mean.estimate == pytest.approx(means.estimate[-1])
    assert [(pair.variant, pair.other) for pair in found.pairs] == [("v0", "v1"), ("v0", "v2"), ("v1", "v2")]
    assert all(variant.audit_low < variant.estimate < variant.audit_high for variant in found.variants)
    untouched = world.experiment(plain)
    assert survey(Analysis.begun(untouched, since=1), untouched).engine is Engine.ADAPTIVE


def test_both_engines_agree_on_a_split_that_nothing_moved(world, full) -> None:
    """They are two estimates of the same things."""
    experiment, analysis = analysed(world, full | FIXED, 4000, rates=(0.1, 0.2))
    fixed = survey(analysis, experiment)
    bandit = replace(experiment, definition=world.experiment(full).definition)
    adaptive = survey(analysis, bandit)
    assert (fixed.engine, adaptive.engine) == (Engine.FIXED, Engine.ADAPTIVE)
    for metric in ("sale", "income", "clicks", "bounce", "value"):
        ours, theirs = fixed.of(metric), adaptive.of(metric)
        for one, other in zip(ours.contrasts, theirs.contrasts, strict=True):
            assert one.difference == pytest.approx(other.difference, abs=0.35 * (one.high - one.low))
            assert one.low < other.high
            assert other.low < one.high


def test_a_covariate_narrows_a_fixed_split(world, full) -> None:
    """Sales go with age, so differences that are adjusted by it vary less."""
    with_age = full | FIXED | {"segments": []}
    experiment, analysis = analysed(world, with_age, 4000)
    adjusted = findings(analysis, experiment, "sale").contrasts[0]
    plain = replace(experiment, definition=world.experiment(with_age | {"covariate": None}).definition)
    other = findings(analysis.fitted(plain), plain, "sale").contrasts[0]
    assert adjusted.high - adjusted.low < other.high - other.low
    assert (
        survey(analysis, experiment).balance.contrasts[0].low
        < 0
        < survey(analysis, experiment).balance.contrasts[0].high
    )


@pytest.mark.parametrize("policy", ["fixed", "thompson"])
def test_a_covariate_that_differed_beforehand_is_seen(world, full, policy: str) -> None:
    """Older visitors in one variant: whatever assigned them, it was not the split."""
    experiment = world.experiment(full | {"policy": {"name": policy}})
    rows = [
        replace(row, context=row.context | {"age": row.context["age"] + 5 * (row.variant == "v1")})
        for row in world.rows(experiment, 6000)
    ]
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows)
    (contrast,) = survey(analysis, experiment).balance.contrasts
    assert contrast.low > 0
    assert contrast.separated


@pytest.mark.parametrize("wild", [1e300, float("inf"), float("nan"), 10**400, "old", None, True])
def test_a_wild_covariate_spoils_nothing(world, full, wild: object) -> None:
    """Whatever a site sends for one visitor, differences are shown."""
    experiment = world.experiment(full | FIXED)
    rows = world.rows(experiment, 2000)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add([replace(rows[0], context=rows[0].context | {"age": wild}), *rows[1:]])
    found = survey(analysis, experiment)
    assert found.of("sale").contrasts[0].low is not None
    assert found.balance.contrasts[0].low is not None


@pytest.mark.parametrize("policy", ["fixed", "thompson"])
def test_segments_are_the_numbers_of_their_rows(world, full, policy: str) -> None:
    """The values of each segment make up all rows, and each is what its own rows alone come to."""
    experiment, analysis = analysed(world, full | {"policy": {"name": policy}}, 3000, rates=(0.1, 0.2))
    found = survey(analysis, experiment)
    for attribute in ("device", "age", "new"):
        parts = [segment for segment in found.segments if segment.attribute == attribute]
        assert sum(found.of("sale", segment).rows for segment in parts) == found.of("sale").rows == 3000
    assert {found.of("sale", segment).family for segment in found.segments} == {len(found.segments)}
    only = survey(analysis, experiment, segments_of={"sale"})
    assert {metric for metric, segment in only.findings if segment is not None} == {"sale"}
    assert only.of("sale", only.segments[0]) == found.of("sale", found.segments[0])


def test_secondary_metrics_share_their_alpha_and_guardrails_have_their_own(world, full) -> None:
    """Three secondary metrics of three variants are six contrasts; a guardrail has two."""
    experiment, analysis = analysed(world, full, 500, variants=3, rates=(0.1, 0.1, 0.1))
    found = survey(analysis, experiment)
    assert {metric: found.of(metric).family for metric in ("sale", "income", "value", "bounce")} == {
        "sale": 2,
        "income": 6,
        "value": 6,
        "bounce": 2,
    }


def test_pairs_share_more_where_the_best_may_change(world, plain) -> None:
    """All K(K - 1)/2 of them have to hold then."""
    body = plain | {"may_change": True}
    experiment, analysis = analysed(world, body, 1000, variants=4, rates=(0.1,) * 4)
    found = findings(analysis, experiment, "sale")
    assert {pair.alpha for pair in found.pairs} == {0.05 / 6}
    assert {contrast.alpha for contrast in found.contrasts} == {0.05 / 3}


def test_it_says_whom_numbers_speak_of(world, plain) -> None:
    """A variant that had no chance on many rows is judged on the others."""
    experiment = world.experiment(plain)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, 500))
    wider = world.experiment(plain, variants=3, version=2)
    analysis = analysis.fitted(wider)
    analysis.add(world.rows(wider, 500, rates=(0.1, 0.1, 0.1), after=500))
    found = findings(analysis, wider, "sale")
    assert [variant.rows for variant in found.variants] == [1000, 1000, 500]
    assert "'v2' on 500 of 1000 rows" in found.population


@pytest.mark.parametrize("policy", ["fixed", "thompson"])
def test_without_rows_there_is_a_sentence(world, full, policy: str) -> None:
    """Also for a variant and a metric that the sums do not know yet."""
    experiment = world.experiment(full | {"policy": {"name": policy}})
    analysis = Analysis.begun(experiment, since=1)
    more = full | {"policy": {"name": policy}, "metrics": [*full["metrics"], {"key": "calls", "role": "secondary"}]}
    for asked in (experiment, world.experiment(more, variants=3)):
        found = survey(analysis, asked)
        for metric in asked.definition.metrics:
            known = found.of(metric.key)
            assert known.reason == "no rows have matured yet"
            assert all(variant.estimate is None and variant.reason for variant in known.variants)
            assert all(contrast.difference is None and contrast.reason for contrast in known.contrasts)


def test_a_single_variant_has_nothing_to_be_compared_with(world, plain) -> None:
    """Its mean is shown all the same."""
    experiment, analysis = analysed(world, plain, 1000, variants=1, rates=(0.3,))
    found = findings(analysis, experiment, "sale")
    assert found.variants[0].low < 0.3 < found.variants[0].high
    assert (found.contrasts, found.pairs) == ((), ())


OUTCOMES = st.sampled_from([0.0, 1.0, -1.0, 3.5, 1e15, -1e15, 1e-300, float("nan"), float("inf")])


@settings(max_examples=20)
@given(
    values=st.lists(st.tuples(OUTCOMES, OUTCOMES), min_size=1, max_size=4),
    count=st.sampled_from([1, 2, 99, 150, 400]),
    policy=st.sampled_from(["fixed", "thompson_normal"]),
    chance=st.sampled_from([0.5, 1.0, 1e-12]),
)
def test_whatever_comes_no_number_is_strange(make_world, values, count: int, policy: str, chance: float) -> None:
    """Equal values, no conversions, empty variants, enormous amounts: a number or a sentence, never NaN."""
    world, body = make_world()
    metrics = [
        {"key": "sale", "kind": "revenue", "min": -1e15},
        {"key": "clicks", "kind": "count", "role": "secondary", "min": -1e15},
        {"key": "value", "kind": "ratio", "role": "guardrail", "numerator": "sale", "denominator": "clicks"},
    ]
    experiment = world.experiment(body | {"metrics": metrics, "policy": {"name": policy}}, variants=2)
    law = np.array([chance, 1 - chance])
    rows = [
        replace(
            row,
            variant="v0",
            distribution=law,
            outcomes=dict(zip(("sale", "clicks"), values[row.seq % len(values)], strict=True)),
        )
        for row in world.rows(experiment, count)
    ]
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows)
    assert analysis.to_bytes() == Analysis.from_bytes(analysis.to_bytes()).to_bytes()
    for name, value in numbers(survey(analysis, experiment)):
        if isinstance(value, float):
            assert math.isfinite(value), (name, value)


def test_limits_and_reasons_exclude_each_other(world, full) -> None:
    """Where limits are shown there is no reason, and the other way round."""
    for policy, count in (("fixed", 150), ("thompson", 150), ("fixed", 3000), ("thompson", 3000)):
        experiment, analysis = analysed(world, full | {"policy": {"name": policy}}, count, rates=(0.05, 0.1))
        found = survey(analysis, experiment)
        for one in found.findings.values():
            assert all((variant.low is None) == bool(variant.reason) for variant in one.variants)
            for contrast in (*one.contrasts, *one.pairs, *one.served):
                assert (contrast.low is None) == (contrast.p_value is None) == bool(contrast.reason)
                assert (contrast.lift is None) == bool(contrast.lift_reason)


@given(logs=st.lists(st.floats(-5, 12), min_size=1, max_size=12), alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_adjusted_e_values_are_the_levels_at_which_e_bh_rejects(logs: list[float], alpha: float) -> None:
    """At or below a level exactly where e-BH at that level rejects."""
    adjusted = e_bh_adjusted(np.array(logs))
    assert (adjusted <= alpha).tolist() == e_bh(logs, alpha).tolist()


def test_moments_are_those_of_the_metric(world, plain) -> None:
    """A conversion's are binary, so that its variance is p(1 - p)."""
    _, analysis = analysed(world, plain, 200)
    moments = analysis.ledger("sale").moments["v0"]
    assert moments == Moments.binary(rows=moments.rows, conversions=moments.nonzero)
