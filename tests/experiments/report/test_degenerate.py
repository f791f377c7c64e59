"""Whatever the sums are, a report says what is missing: never NaN, never a crash."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import Analysis
from experiments.report import ExperimentReport
from experiments.report.build import report_of
from experiments.report.facts import Facts
from experiments.statistics.moments import Moments
from tests.experiments.report.made import analysed, binary, experiment_of, facts_from, facts_of, rows_of, sales

POLICIES = ["fixed", "thompson"]
NUMBERS = st.one_of(st.floats(-1e60, 1e60), st.sampled_from([math.nan, math.inf, -math.inf]))
"""Far beyond what a billion rewards of the largest size come to."""


def said(facts: Facts) -> ExperimentReport:
    """The report, once it was written as JSON without NaN or infinity; each number that is missing has a reason."""
    report = report_of(facts)
    json.dumps(report.to_json(), allow_nan=False)
    for row in [*report.variants, *(value for metric in report.metrics for value in metric.variants)]:
        assert (
            (row.low is None) == (row.high is None) == (row.estimate is None) == row.interval.startswith("not shown: ")
        )
    for variant in report.variants:
        assert (variant.audit_low is None) == variant.audit.startswith("not shown: ")
        assert (variant.contrast is None) == (variant.control or variant.compared.startswith("not shown: "))
    assert report.advice.text
    return report


def constant(value: float) -> Callable[[str, dict[str, Any], np.random.Generator], dict[str, float]]:
    """The same outcome for everybody."""
    return lambda *_: {"purchase": value}


@pytest.mark.parametrize(
    ("policy", "count", "outcome", "words"),
    [
        ("fixed", 0, 0.0, "needs 100 rows, there are 0"),
        ("thompson", 0, 0.0, "needs 100 rows, there are 0"),
        ("fixed", 1, 1.0, "needs 100 rows, there are "),
        ("thompson", 1, 1.0, "needs 100 rows, there are 1"),
        ("fixed", 400, 0.0, "needs 10 conversions, there are 0"),
        ("thompson", 400, 0.0, "needs 20 rows with an outcome other than the usual one, there are 0"),
        ("fixed", 400, 1.0, "needs 10 rows without a conversion, there are 0"),
    ],
)
def test_what_is_missing_is_a_sentence(policy: str, count: int, outcome: float, words: str) -> None:
    """No rows, one visitor, no conversions, equal values: under a split and under a bandit."""
    experiment = experiment_of(policy={"name": policy})
    law = None if policy == "fixed" else (lambda number: (0.5, 0.5) if number % 2 else (0.3, 0.7))
    report = said(analysed(experiment, rows_of(experiment, constant(outcome), count=count, law=law)))
    for variant in report.variants:
        assert variant.low is None
        assert variant.interval.startswith(f"not shown: {words}")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_variant_that_nobody_saw_leaves_the_others_theirs(policy: str) -> None:
    """An empty variant says so; the others keep their limits and their contrasts."""
    variants = [{"key": "a", "control": True}, {"key": "b"}, {"key": "new"}]
    experiment = experiment_of(policy={"name": policy}, variants=variants)
    law = [0.5, 0.5, 0.0]
    rows = rows_of(experiment, sales(a=0.2, b=0.3, new=0.0), law=lambda _: law)
    report = said(analysed(experiment, rows))
    assert [variant.low is None for variant in report.variants] == [False, False, True]
    assert report.variants[1].contrast is not None
    assert report.variants[2].compared.startswith("not shown: ")
    assert report.days_left is None


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_sums_that_are_no_numbers_are_not_shown(broken: float) -> None:
    """NaN and infinity in the store's sums are named, and nothing is worked out from them."""
    sums = {"a": binary(400, 40), "b": Moments(400, broken, broken, 400)}
    report = said(facts_of(sums))
    assert report.variants[1].interval == "not shown: the sums are not finite numbers"
    assert (report.variants[1].total, report.variants[1].rate) == (None, None)
    assert report.belief == "not shown: the sums are not finite numbers"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_an_analysis_of_no_numbers_is_not_shown(policy: str, broken: float) -> None:
    """Arrays of a stored analysis that hold NaN or infinity give reasons, not numbers."""
    experiment = experiment_of(policy={"name": policy})
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.3)))
    assert facts.analysis is not None
    damaged = Analysis.from_bytes(facts.analysis.to_bytes())
    metric = damaged.metrics["purchase"]
    metric.tallies[:, 1:3, 1] = broken
    metric.sums.total[:] = broken
    metric.sums.square[:] = broken
    report = said(replace(facts, analysis=damaged, proofs=()))
    assert report.variants[1].low is None
    assert report.days_left is None


def test_one_variant_alone_has_nothing_to_be_compared_with() -> None:
    """An experiment with one enabled variant is reported without contrasts and without a best one."""
    variants = [{"key": "a", "control": True}, {"key": "b", "enabled": False}]
    experiment = experiment_of(variants=variants)
    rows = rows_of(experiment, sales(a=0.2, b=0.2), law=lambda _: [1.0, 0.0])
    report = said(analysed(experiment, rows))
    assert report.variants[0].low is not None
    assert report.variants[1].contrast is None


def test_a_variant_that_was_removed_keeps_its_row() -> None:
    """Its rows are counted, and the report says why there are no limits."""
    two, three = experiment_of(), experiment_of(variants=[{"key": k} for k in "abc"])
    rows = rows_of(three, sales(a=0.2, b=0.3, c=0.3), count=900)
    analysis = Analysis.begun(three, since=1)
    analysis.add(rows)
    facts = facts_from(two, rows, analysis.fitted(two))
    report = said(replace(facts, variants=three.definition.variants))
    assert report.variants[2].visitors > 200
    assert report.variants[2].interval == "not shown: the variant is not part of the analysis"


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 10**9), NUMBERS, NUMBERS, st.integers(0, 10**9)), min_size=2, max_size=2),
    st.sampled_from(["conversion", "revenue", "bounce"]),
    st.booleans(),
)
def test_no_sums_break_a_report(parts: list[tuple[int, float, float, int]], kind: str, over: bool) -> None:
    """Sums that no rows could have, too."""
    experiment = experiment_of(metrics=[{"key": "purchase", "kind": kind}])
    sums = {key: Moments(*part) for key, part in zip("ab", parts, strict=True)}
    said(facts_of(sums, experiment=replace(experiment, imported=over)))
