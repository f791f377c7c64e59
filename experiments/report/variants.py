"""The rows of a report: each variant's mean, its interval where one is valid, and what is believed of it."""

from __future__ import annotations

from bandit.registry import REGISTRY
from experiments.model import Experiment, MetricKind
from experiments.report.facts import Facts, Split
from experiments.report.numbers import Contrast, MetricReport, MetricValue, VariantReport
from experiments.report.traffic import current_shares, total_shares
from experiments.statistics import sequential
from experiments.statistics.belief import Belief, belief
from experiments.statistics.moments import Estimate, Missing, Moments
from experiments.statistics.sequential import Interval, Tuning

ALWAYS_VALID = "always valid, 95%"
TUNING = Tuning()


def variant_reports(facts: Facts, beliefs: Belief | Missing) -> tuple[VariantReport, ...]:
    """One row a variant, in the order of the experiment."""
    share, share_now = total_shares(facts.buckets), current_shares(facts.latest)
    contrasts = _contrasts(facts)
    rows = []
    for index, (variant, moments) in enumerate(zip(facts.variants, facts.objective, strict=True)):
        limits = _limits(facts, moments)
        shown = None if isinstance(limits, Missing) else limits
        rows.append(
            VariantReport(
                key=variant.key,
                name=variant.name or variant.key,
                control=variant.key == facts.experiment.control.key,
                enabled=variant.enabled,
                visitors=moments.rows,
                conversions=moments.nonzero,
                total=moments.total,
                rate=moments.mean,
                low=None if shown is None else shown.low,
                high=None if shown is None else shown.high,
                interval=f"not shown: {limits.reason}" if isinstance(limits, Missing) else ALWAYS_VALID,
                share=share.get(variant.key, 0.0) if share else None,
                share_now=share_now.get(variant.key, 0.0) if share_now else None,
                belief_best=beliefs.best[index] if isinstance(beliefs, Belief) else None,
                expected_loss=beliefs.loss[index] if isinstance(beliefs, Belief) else None,
                contrast=contrasts.get(variant.key),
            )
        )
    return tuple(rows)


def beliefs_of(facts: Facts) -> Belief | Missing:
    """The belief about the variants' means, where one variant can be best for everybody."""
    if _chooses_by_visitor(facts.experiment):
        return Missing("the policy chooses by the visitor's context, so that no one variant need be best")
    return belief(facts.objective, binary=facts.experiment.objective.kind is MetricKind.CONVERSION)


def metric_reports(facts: Facts) -> tuple[MetricReport, ...]:
    """The plain means of every metric."""
    return tuple(
        MetricReport(
            key=metric.key,
            kind=metric.kind,
            role=metric.role,
            window_seconds=metric.window_seconds,
            variants=tuple(
                MetricValue(variant.key, moments.rows, moments.total, moments.mean)
                for variant, moments in zip(facts.variants, facts.moments_of(metric.key), strict=True)
            ),
        )
        for metric in facts.experiment.definition.metrics
    )


def _limits(facts: Facts, moments: Moments) -> Interval | Missing:
    """The always-valid limits of one variant's mean; those of a rate lie between 0 and 1."""
    if isinstance(facts.split, Missing):
        return facts.split
    estimate = sequential.estimate_mean(moments)
    if isinstance(estimate, Missing):
        return estimate
    found = sequential.interval(estimate, TUNING)
    if facts.experiment.objective.kind is not MetricKind.CONVERSION:
        return found
    return Interval(found.estimate, max(found.low, 0.0), min(found.high, 1.0))


def _contrasts(facts: Facts) -> dict[str, Contrast]:
    """Every variant against the control, the 5% shared between them."""
    if not isinstance(facts.split, Split):
        return {}
    means = {
        variant.key: sequential.estimate_mean(moments)
        for variant, moments in zip(facts.variants, facts.objective, strict=True)
    }
    control = means.pop(facts.experiment.control.key)
    tuning = TUNING.shared(len(means))
    return {
        key: _contrast(control, mean, tuning)
        for key, mean in means.items()
        if not isinstance(mean, Missing) and not isinstance(control, Missing)
    }


def _contrast(control: Estimate, treatment: Estimate, tuning: Tuning) -> Contrast:
    difference = sequential.difference(control, treatment)
    limits = sequential.interval(difference, tuning)
    lift = sequential.relative_lift(control, treatment, tuning)
    known = None if isinstance(lift, Missing) else lift
    return Contrast(
        difference=limits.estimate,
        low=limits.low,
        high=limits.high,
        lift=None if known is None else known.estimate,
        lift_low=None if known is None else known.low,
        lift_high=None if known is None else known.high,
        p_value=sequential.p_value(difference, tuning),
        alpha=tuning.alpha,
    )


def _chooses_by_visitor(experiment: Experiment) -> bool:
    return REGISTRY[experiment.definition.policy.name].contextual and experiment.schema.width > 0
