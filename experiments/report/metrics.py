"""Every metric of a report, per variant: what was observed, what it is estimated at, and against the control."""

from __future__ import annotations

from experiments.analysis.values import MetricFindings
from experiments.model import Metric, MetricKind
from experiments.report.compared import compared, finite, label, proofs_against, shown, why_not
from experiments.report.facts import Facts
from experiments.report.final import finals
from experiments.report.numbers import MetricReport, MetricValue
from experiments.statistics.moments import Moments


def metric_reports(facts: Facts) -> tuple[MetricReport, ...]:
    """Return the metrics in the order of the experiment."""
    return tuple(_report(facts, metric, facts.survey.of(metric.key)) for metric in facts.experiment.definition.metrics)


def _report(facts: Facts, metric: Metric, findings: MetricFindings) -> MetricReport:
    return MetricReport(
        key=metric.key,
        kind=metric.kind,
        role=metric.role,
        window_seconds=metric.window_seconds,
        variants=_values(facts, metric, findings),
        better_up=metric.better_up,
        method=findings.engine if facts.analysis is not None else None,
        margin=metric.margin,
        discoveries=tuple(contrast.variant for contrast in findings.contrasts if contrast.separated),
        numerator=metric.numerator,
        denominator=metric.denominator,
    )


def _values(facts: Facts, metric: Metric, findings: MetricFindings) -> tuple[MetricValue, ...]:
    control = facts.experiment.control.key
    means = {finding.variant: finding for finding in findings.variants}
    contrasts = {finding.variant: finding for finding in findings.contrasts}
    proved = proofs_against(facts, metric.key, other=control)
    tests = finals(facts, metric, contrasts=len(contrasts))
    values = []
    for variant, (moments, observed) in zip(facts.variants, _observed(facts, metric), strict=True):
        key, mean = variant.key, means.get(variant.key)
        found = shown(mean)
        against = None if key == control else compared(contrasts.get(key), proved=proved.get(key), final=tests.get(key))
        values.append(
            MetricValue(
                variant=key,
                rows=moments.rows,
                total=finite(moments.total),
                mean=finite(observed),
                estimate=None if found is None else finite(found.estimate),
                low=None if found is None else finite(found.low),
                high=None if found is None else finite(found.high),
                interval=label(mean),
                contrast=against,
                compared="" if key == control else why_not(contrasts.get(key)),
            )
        )
    return tuple(values)


def _observed(facts: Facts, metric: Metric) -> list[tuple[Moments, float | None]]:
    """Return what came of each variant, and its plain mean; of a ratio, its numerator and the quotient of sums."""
    if metric.kind is not MetricKind.RATIO or metric.numerator is None or metric.denominator is None:
        return [(moments, moments.mean) for moments in facts.moments_of(metric.key)]
    pairs = zip(facts.moments_of(metric.numerator), facts.moments_of(metric.denominator), strict=True)
    return [(above, above.total / below.total if below.total != 0 else None) for above, below in pairs]
