"""A report in which everything is there that a report can hold, for pages that have to show it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from experiments.model import ProofKind
from experiments.report import (
    Advice,
    Against,
    BeliefLift,
    Contrast,
    ExperimentReport,
    FinalTest,
    Finding,
    Method,
    MetricReport,
    MetricValue,
    Multiplicity,
    ProofReport,
    SegmentReport,
    SegmentValue,
    SegmentVariant,
    ServedContrast,
    ServedReport,
    Traffic,
    VariantReport,
)

HOUR = 3_600_000_000
VALID = "always valid, 95%"

BODY: dict[str, Any] = {
    "key": "spring",
    "name": "Spring landing page",
    "variants": [
        {"key": "a", "name": "Today's page", "control": True, "content": {"headline": "Welcome back"}},
        {"key": "b", "name": "Saving first", "cost": 0.5, "content": {"headline": "Save 20%", "button": "Show me"}},
        {"key": "c", "name": "Calm", "content": {"headline": "Spring is here"}},
    ],
    "context": [
        {"name": "device", "type": "category", "values": ["mobile", "desktop"]},
        {"name": "age", "type": "number"},
    ],
    "metrics": [
        {"key": "purchase"},
        {"key": "revenue", "kind": "revenue", "role": "secondary", "max": 500, "cap": 200},
        {"key": "bounce", "kind": "bounce", "role": "guardrail", "margin": 0.05, "pauses": True},
    ],
    "segments": [{"attribute": "device"}],
    "covariate": "age",
    "smallest_lift": 0.05,
    "policy": {"name": "thompson"},
}
"""The JSON of the experiment that the report is about."""


def rich(report: ExperimentReport, *, word: str = "mobile") -> ExperimentReport:
    """The report of ``BODY``'s experiment, with every number set; ``word`` stands wherever the site says a word."""
    return replace(
        report,
        rows=40_000,
        decisions=41_000,
        advice=Advice(Finding.SHIP, f"Ship 'Saving first': proved best on average since 2026-11-01 ({word}).", "b"),
        belief="a belief, not a proof",
        variants=tuple(_variant(variant, place) for place, variant in enumerate(report.variants)),
        metrics=tuple(_metric(metric) for metric in report.metrics),
        segments=(SegmentReport("device", (_segment(word, "b"), _segment("desktop", None))),),
        segments_note="each interval holds for its segment alone",
        served=_served(),
        proofs=(
            _proof(ProofKind.BEST, "purchase", "b", None, text=f"'Saving first' beats every other variant ({word})."),
            _proof(
                ProofKind.PERSONALISED, "purchase", "c", None, text="Choosing by visitor beats 'Calm' for everybody."
            ),
            _proof(
                ProofKind.HARMED,
                "bounce",
                "c",
                "a",
                text="'Calm' hurts bounce, with contents that were changed.",
                current=False,
            ),
        ),
        multiplicity=Multiplicity(2, 0.025, 1.12, 6, "Two contrasts share the 5%: each interval is 12% wider."),
        method=Method.ADAPTIVE,
        since=report.as_of - 400 * HOUR,
        running_days=16.7,
        days_left=3.2,
        population="All visitors who could have seen every variant.",
        traffic=_traffic(report.as_of),
    )


def contrast(difference: float, low: float, high: float, *, against: str | None = "a", **more: Any) -> Contrast:
    """A contrast with a lift in proportion to its difference."""
    return Contrast(
        difference=difference,
        low=low,
        high=high,
        lift=10 * difference,
        lift_low=10 * low,
        lift_high=10 * high,
        p_value=0.00001,
        alpha=0.025,
        against=against,
        e_value=812.0,
        adjusted_p=0.0002,
        **more,
    )


def _variant(variant: VariantReport, place: int) -> VariantReport:
    rate = (0.1, 0.128, 0.094)[place]
    final = FinalTest(0.018, 0.038, 1e-9, 0.18, 0.38)
    found = (
        None,
        contrast(0.028, 0.012, 0.044, proved=ProofKind.BEST, final=final),
        contrast(-0.006, -0.021, 0.009),
    )[place]
    return replace(
        variant,
        visitors=(9_000, 24_500, 6_500)[place],
        conversions=(911, 3_160, 620)[place],
        total=(911.0, 3_160.0, 620.0)[place],
        rate=rate + 0.003,
        low=rate - 0.011,
        high=rate + 0.012,
        interval=VALID,
        share=(0.225, 0.6125, 0.1625)[place],
        share_now=(0.07, 0.86, 0.07)[place],
        belief_best=(0.001, 0.995, 0.004)[place],
        expected_loss=(0.028, 0.0001, 0.034)[place],
        contrast=found,
        estimate=rate,
        audit_low=rate - 0.03,
        audit_high=rate + 0.034,
        audit="limits without asymptotics",
        belief_lift=None if place == 0 else BeliefLift(0.1, 0.2, 0.27, 0.31, 0.4),
        recent=None if place == 0 else 0.02,
    )


def _metric(metric: MetricReport) -> MetricReport:
    scale = {"purchase": 0.1, "bounce": 0.42, "revenue": 5.31}[metric.key]
    values = tuple(
        MetricValue(
            variant=value.variant,
            rows=10_000,
            total=10_000 * scale,
            mean=scale * 1.02,
            estimate=scale * (1 + 0.05 * place),
            low=scale * (0.94 + 0.05 * place),
            high=scale * (1.06 + 0.05 * place),
            interval=VALID,
            contrast=None if place == 0 else contrast(0.05 * scale, -0.01 * scale, 0.11 * scale, worst=0.08 * scale),
        )
        for place, value in enumerate(metric.variants)
    )
    bounce = metric.key == "bounce"
    return replace(
        metric,
        variants=values,
        discoveries=("b",),
        method=Method.ADAPTIVE,
        better_up=not bounce,
        margin=0.05 if bounce else 0.0,
    )


def _segment(value: str, best: str | None) -> SegmentValue:
    variants = tuple(
        SegmentVariant(
            key=key,
            rows=4_000,
            estimate=rate + 0.01,
            low=rate - 0.02,
            high=rate + 0.04,
            interval=VALID,
            point=rate,
            contrast=None if key == "a" else contrast(0.02, 0.01, 0.03),
        )
        for key, rate in (("a", 0.08), ("b", 0.13), ("c", 0.11))
    )
    return SegmentValue(value, 12_000, variants, best, () if best is None else (best,))


def _served() -> ServedReport:
    against = (
        ServedContrast(Against.UNIFORM, contrast(0.011, 0.004, 0.018, against=None)),
        ServedContrast(Against.CONTROL, contrast(0.018, 0.008, 0.028)),
        ServedContrast(Against.VARIANT, contrast(-0.004, -0.01, 0.002, against="b"), variant="b"),
        ServedContrast(Against.VARIANT, None, "not shown: too few visitors yet", variant="c"),
    )
    return ServedReport(0.118, 0.112, 0.124, VALID, against)


def _proof(kind: ProofKind, metric: str, variant: str, other: str | None, *, text: str, current: bool = True) -> Any:
    return ProofReport(
        kind=kind,
        metric=metric,
        variant=variant,
        other=other,
        segment=None,
        time=1_799_000_000_000_000,
        seq=31_000,
        since=2,
        current=current,
        estimate=0.028,
        low=0.012,
        high=None,
        alpha=0.025,
        text=text,
    )


def _traffic(now: int) -> Traffic:
    times = tuple(now - (400 - hour) * HOUR for hour in range(0, 400, 10))
    ahead = [0.34 + 0.52 * place / len(times) for place in range(len(times))]
    rest = tuple((1 - share) / 2 for share in ahead)
    return Traffic(36_000, times, (1_000,) * len(times), ("a", "b", "c"), (rest, tuple(ahead), rest))
