"""What the store's sums alone say of the objective, where no analysis has been stored: a fixed split's means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.analysis.inference import Survey
from experiments.analysis.values import ContrastFinding, Engine, MetricFindings, SegmentValue, VariantFinding
from experiments.model import Experiment, Metric, Variant
from experiments.report.split import Split
from experiments.statistics import sequential
from experiments.statistics.moments import Estimate, Missing, Moments
from experiments.statistics.sequential import Tuning

UNREAD = "nothing has been analysed yet"


def from_sums(
    experiment: Experiment,
    sums: Mapping[str, Mapping[str, Moments]],
    *,
    variants: Sequence[Variant],
    split: Split | Missing,
) -> Survey:
    """Return what the sums say: limits of the objective of a fixed split, and a reason why not for everything else.

    Parameters
    ----------
    experiment
        As it is.
    sums
        Metric, then variant, to what its rows come to.
    variants
        All that have rows, and the current ones.
    split
        The one weight vector that drew every row.
    """
    keys = [variant.key for variant in variants]
    found: dict[tuple[str, SegmentValue | None], MetricFindings] = {}
    for metric in experiment.definition.metrics:
        moments = {key: sums.get(metric.key, {}).get(key, Moments()) for key in keys}
        why = Missing(UNREAD) if metric.key != experiment.objective.key else split
        found[metric.key, None] = _findings(experiment, metric, moments, why if isinstance(why, Missing) else None)
    return Survey(Engine.FIXED, experiment.control.key, found, None)


def _findings(
    experiment: Experiment, metric: Metric, moments: Mapping[str, Moments], why: Missing | None
) -> MetricFindings:
    tuning = Tuning(n_star=experiment.definition.n_star)
    shared = tuning.shared(len(moments) - 1)
    estimates = {key: why or sequential.estimate_mean(found) for key, found in moments.items()}
    control = experiment.control.key
    return MetricFindings(
        metric=metric.key,
        segment=None,
        engine=Engine.FIXED,
        rows=sum(found.rows for found in moments.values()),
        alpha=shared.alpha,
        family=len(moments) - 1,
        variants=tuple(_mean(metric, key, estimate, tuning) for key, estimate in estimates.items()),
        contrasts=tuple(
            _contrast(key, estimate, control, estimates[control], shared)
            for key, estimate in estimates.items()
            if key != control
        ),
    )


def _mean(metric: Metric, key: str, estimate: Estimate | Missing, tuning: Tuning) -> VariantFinding:
    """Return the always-valid limits of a mean; those of a rate lie between 0 and 1."""
    audit = UNREAD
    if isinstance(estimate, Missing):
        return VariantFinding(key, 0, reason=estimate.reason, audit_reason=audit)
    limits = sequential.interval(estimate, tuning)
    low, high = max(limits.low, metric.bounds[0]), min(limits.high, metric.bounds[1])
    return VariantFinding(key, estimate.rows, estimate.value, low, high, audit_reason=audit)


def _contrast(
    key: str, treatment: Estimate | Missing, other: str, control: Estimate | Missing, tuning: Tuning
) -> ContrastFinding:
    if isinstance(treatment, Missing):
        return ContrastFinding(key, other, reason=treatment.reason, alpha=tuning.alpha)
    if isinstance(control, Missing):
        return ContrastFinding(key, other, reason=control.reason, alpha=tuning.alpha)
    gap = sequential.difference(control, treatment)
    limits = sequential.interval(gap, tuning)
    lift = sequential.relative_lift(control, treatment, tuning)
    known = None if isinstance(lift, Missing) else lift
    return ContrastFinding(
        variant=key,
        other=other,
        rows=gap.rows,
        difference=gap.value,
        low=limits.low,
        high=limits.high,
        lift=None if known is None else known.estimate,
        lift_low=None if known is None else known.low,
        lift_high=None if known is None else known.high,
        lift_reason=lift.reason if isinstance(lift, Missing) else "",
        p_value=sequential.p_value(gap, tuning),
        log_e=sequential.log_e_value(gap, tuning),
        alpha=tuning.alpha,
    )
