"""Reports of analysed rows: every metric, every comparison and every segment, whatever moved the traffic."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import Analysis
from experiments.model import Proof, ProofKind, State
from experiments.report import Against, ExperimentReport, Method
from experiments.report.build import report_of
from experiments.report.facts import MADE_ANEW, NOT_ANALYSED, Facts, read_analysis
from experiments.store import AnalysisState
from tests.experiments.report.made import NOW, analysed, experiment_of, facts_from, rows_of, sales

FULL: dict[str, Any] = {
    "variants": [{"key": "a", "control": True}, {"key": "b"}, {"key": "c"}],
    "context": [
        {"name": "device", "type": "category", "values": ["mobile", "desktop"]},
        {"name": "age", "type": "number"},
    ],
    "metrics": [
        {"key": "purchase", "max": 1},
        {"key": "income", "kind": "revenue", "role": "secondary", "cap": 100},
        {"key": "visits", "kind": "count", "role": "secondary", "cap": 20},
        {"key": "bounce", "kind": "bounce", "role": "guardrail", "margin": 0.1},
        {"key": "value", "kind": "ratio", "role": "secondary", "numerator": "income", "denominator": "visits"},
    ],
    "segments": [{"attribute": "device"}],
    "policy": {"name": "linear_thompson"},
    "smallest_lift": 0.05,
}
COUNT = 1_500


def lively(variant: str, context: dict[str, Any], rng: np.random.Generator) -> dict[str, float]:
    """Phones like b, desktops like c; b is left sooner."""
    liked = (variant == "b") == (context["device"] == "mobile") and variant != "a"
    purchase = float(rng.random() < (0.5 if liked else 0.2))
    return {
        "purchase": purchase,
        "income": min(purchase * float(rng.gamma(2.0, 20.0)), 100.0),
        "visits": float(1 + rng.poisson(1.0)),
        "bounce": float(rng.random() < (0.8 if variant == "b" else 0.3)),
    }


def wandering(number: int) -> list[float]:
    """Probabilities that move all the time."""
    shares = np.array([1.0, 1.5 + np.sin(number / 50), 1.5 + np.cos(number / 50)])
    return list(shares / shares.sum())


@pytest.fixture(scope="module")
def moved() -> Facts:
    """A policy that sees the device, with every kind of metric."""
    experiment = experiment_of(**FULL)
    return analysed(experiment, rows_of(experiment, lively, count=COUNT, law=wandering))


@pytest.fixture(scope="module")
def report(moved: Facts) -> ExperimentReport:
    """What is said of it."""
    return report_of(moved)


def test_a_bandit_has_intervals(report: ExperimentReport) -> None:
    """Each variant has limits around its estimate; its rate stays the plain mean of what was observed."""
    assert report.method is Method.ADAPTIVE
    for variant in report.variants:
        assert variant.interval == "always valid, 95%"
        assert variant.low is not None
        assert variant.estimate is not None
        assert variant.high is not None
        assert variant.total is not None
        assert 0 <= variant.low < variant.estimate < variant.high <= 1
        assert variant.rate == variant.total / variant.visitors
        assert variant.rate != variant.estimate


def test_the_audit_line_stands_beside(report: ExperimentReport) -> None:
    """Limits without asymptotics hold the estimate, too."""
    for variant in report.variants:
        assert variant.audit_low is not None
        assert variant.audit_high is not None
        assert variant.audit == "always valid, 95%, without assuming many rows"
        assert 0 <= variant.audit_low < (variant.estimate or 0.0) < variant.audit_high <= 1


def test_every_metric_has_intervals_and_contrasts(report: ExperimentReport) -> None:
    """Also those that are watched only, a guardrail and a ratio of two metrics."""
    assert [metric.key for metric in report.metrics] == ["purchase", "income", "visits", "bounce", "value"]
    for metric in report.metrics:
        assert metric.method is Method.ADAPTIVE
        assert [value.contrast is None for value in metric.variants] == [True, False, False]
        assert all(value.interval == "always valid, 95%" for value in metric.variants)
    bounce, value = report.metrics[3], report.metrics[4]
    assert (bounce.better_up, value.better_up) == (False, True)
    assert value.variants[0].mean == pytest.approx(
        (report.metrics[1].variants[0].total or 0.0) / (report.metrics[2].variants[0].total or 1.0)
    )


def test_a_hurt_guardrail_is_the_advice(report: ExperimentReport) -> None:
    """What is proved to do harm is unhealthy, and how bad it may be is a one-sided limit."""
    contrast = report.metrics[3].variants[1].contrast
    assert contrast is not None
    assert contrast.proved is ProofKind.HARMED
    assert contrast.worst is not None
    assert contrast.low < contrast.difference < contrast.worst
    assert report.advice.text.startswith("Unhealthy: 'b' is proved to hurt the guardrail bounce")


def test_the_served_policy_is_compared_on_the_same_rows(report: ExperimentReport) -> None:
    """With uniform, with the control, and with each other variant for everybody."""
    assert report.served is not None
    against = [(item.against, item.variant) for item in report.served.contrasts]
    assert against == [
        (Against.UNIFORM, None),
        (Against.CONTROL, "a"),
        (Against.VARIANT, "b"),
        (Against.VARIANT, "c"),
    ]
    assert all(item.contrast is not None for item in report.served.contrasts)


def test_each_segment_has_its_variant(report: ExperimentReport) -> None:
    """Which variant for whom: the point is drawn towards the others, the limits are not."""
    (device,) = report.segments
    assert [(value.value, value.best) for value in device.values] == [("mobile", "b"), ("desktop", "c")]
    assert sum(value.rows for value in device.values) == COUNT
    mobile = device.values[0].variants[1]
    assert mobile.estimate is not None
    assert mobile.point is not None
    assert mobile.point != mobile.estimate
    assert mobile.low is not None
    assert mobile.low < mobile.point
    assert "a belief, not a proof" in report.segments_note


def test_sharing_the_level_is_said_with_its_price(report: ExperimentReport) -> None:
    """Intervals of many comparisons are wider, and the report says by how much."""
    shared = report.multiplicity
    assert shared is not None
    assert (shared.contrasts, shared.alpha) == (2, 0.025)
    assert 1 < shared.wider < 1.2
    assert "2 comparisons by purchase share 5% (Holm): each interval is 8% wider than one alone." in shared.text
    assert "e-BH" in shared.text


def test_a_report_is_json(report: ExperimentReport) -> None:
    """All of it, with dates that people read."""
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert body["since"] == "2025-12-12T00:00:00.000000Z"
    assert {proof["time"] for proof in body["proofs"]} == {"2026-01-01T00:00:00.000000Z"}
    assert {proof["kind"] for proof in body["proofs"]} >= {"harmed"}


@pytest.mark.parametrize("policy", ["linear_thompson", "fixed"])
@settings(max_examples=3)
@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_a_rescan_gives_the_same_report(policy: str, cuts: list[int]) -> None:
    """Rows added as they came, with restarts between, and all rows read again: the same report to the last bit."""
    experiment = experiment_of(**(FULL | {"policy": {"name": policy}}))
    rows = rows_of(experiment, lively, count=400, law=None if policy == "fixed" else wandering)
    online, rescan = Analysis.begun(experiment, since=1), Analysis.begun(experiment, since=1)
    ends = [0, *sorted(cuts), 400]
    for start, end in pairwise(ends):
        online.add(rows[start:end])
        online = Analysis.from_bytes(online.to_bytes())
    rescan.add(rows)
    assert report_of(facts_from(experiment, rows, online)) == report_of(facts_from(experiment, rows, rescan))


def test_a_finished_split_has_the_tests_of_one_look() -> None:
    """They are narrower than the sequence, and only there once nobody is asked any more."""
    experiment = experiment_of()
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.25)))
    running, over = report_of(facts), report_of(replace(facts, experiment=replace(experiment, state=State.STOPPED)))
    assert running.variants[1].contrast is not None
    assert running.variants[1].contrast.final is None
    contrast = over.variants[1].contrast
    assert contrast is not None
    assert contrast.final is not None
    assert (
        contrast.low < (contrast.final.low or 0.0) < contrast.difference < (contrast.final.high or 0.0) < contrast.high
    )


def test_less_may_be_better() -> None:
    """Of a bounce, the variant with the least is best: believed, proved and shipped."""
    experiment = experiment_of(metrics=[{"key": "purchase", "kind": "bounce"}])
    report = report_of(analysed(experiment, rows_of(experiment, sales(a=0.6, b=0.3))))
    assert report.variants[1].belief_best == pytest.approx(1.0, abs=1e-6)
    assert report.advice.variant == "b"
    assert report.advice.text.startswith("Ship 'New page'")


class Shelf:
    """A store that has one state of an analysis."""

    def __init__(self, state: AnalysisState | None) -> None:
        self._state = state

    def analysis_state(self, experiment_id: int) -> AnalysisState | None:
        """The state."""
        return self._state


def test_a_missing_analysis_is_said(moved: Facts) -> None:
    """None yet, a damaged one, and one that lags behind: the report says what it lacks."""
    experiment, blob = moved.experiment, moved.analysis.to_bytes() if moved.analysis else b""
    assert read_analysis(Shelf(None), experiment, rows=3) == (None, NOT_ANALYSED)
    assert read_analysis(Shelf(AnalysisState(1, 3, blob[:-9], NOW)), experiment, rows=3) == (None, MADE_ANEW)
    found, missing = read_analysis(Shelf(AnalysisState(1, COUNT, blob, NOW)), experiment, rows=COUNT + 7)
    assert found is not None
    assert missing == f"{COUNT} of {COUNT + 7} matured rows have been analysed so far; the rest follows"


def test_proofs_are_told_with_their_date(moved: Facts) -> None:
    """Each is a sentence; those about a segment say which."""
    proof = Proof(ProofKind.BETTER, "purchase", "b", "a", "device=mobile", 900, NOW, 1, 0.1, 0.05, 0.15, 0.05)
    report = report_of(replace(moved, proofs=(proof,)))
    assert report.proofs[0].text == (
        "'b' is proved better than 'a' by purchase where device=mobile, on average from 2025-12-12 to 2026-01-01."
    )
    assert report.proofs_of("purchase", "b") == report.proofs
