"""Which variant for whom: the objective per value of a context attribute, and which variant is believed best there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from bandit.types import Floats
from experiments.analysis import Analysis, Engine, MetricFindings, why_no_segments
from experiments.analysis import SegmentValue as Place
from experiments.analysis.segments import OTHER
from experiments.model import Experiment
from experiments.report.compared import compared, finite, label, shown, why_not
from experiments.report.facts import Facts
from experiments.report.numbers import SegmentReport, SegmentValue, SegmentVariant
from experiments.statistics.adaptive.inference import means
from experiments.statistics.moments import Missing, Moments
from experiments.statistics.segments import for_whom

Points = Mapping[tuple[str, str], float]
"""By segment value and variant."""


def segment_reports(facts: Facts) -> tuple[SegmentReport, ...]:
    """Return the segments in the order of the experiment; of an undeclared value only where there are rows."""
    metric = facts.experiment.objective.key
    found = [(place, facts.survey.of(metric, place)) for place in facts.survey.segments]
    shown = [(place, findings) for place, findings in found if findings.rows > 0 or place.value != OTHER]
    reports = []
    for attribute, grouped in groupby(shown, key=lambda pair: pair[0].attribute):
        pairs = list(grouped)
        points = _points(facts, [place for place, findings in pairs if findings.rows > 0])
        values = tuple(_value(facts, place.value, findings, points) for place, findings in pairs)
        reports.append(SegmentReport(attribute, values))
    return tuple(reports)


def segments_note(facts: Facts) -> str:
    """Return how segments are read, or why there are none."""
    if why := why_no_segments(facts.experiment.definition):
        return f"not shown: {why}"
    if facts.analysis is None:
        return f"not shown: {facts.missing}"
    return (
        "Limits are from the visitors of each segment alone; all comparisons within segments share 5%. The point is "
        "drawn towards what the variant does elsewhere: a belief, not a proof."
    )


def _value(facts: Facts, value: str, findings: MetricFindings, points: Points) -> SegmentValue:
    contrasts = {contrast.variant: contrast for contrast in findings.contrasts}
    ledger = None
    if facts.analysis is not None:
        ledger = facts.analysis.ledger(findings.metric, findings.segment)
    rows = {} if ledger is None else {key: moments.rows for key, moments in ledger.moments.items()}
    variants = []
    for mean in findings.variants:
        key, found = mean.variant, shown(mean)
        control = key == facts.experiment.control.key
        variants.append(
            SegmentVariant(
                key=key,
                rows=rows.get(key, 0),
                estimate=None if found is None else finite(found.estimate),
                low=None if found is None else finite(found.low),
                high=None if found is None else finite(found.high),
                interval=label(mean),
                point=points.get((value, key)),
                contrast=None if control else compared(contrasts.get(key)),
                compared="" if control else why_not(contrasts.get(key)),
            )
        )
    told = tuple(contrast.variant for contrast in findings.contrasts if contrast.separated)
    return SegmentValue(value, findings.rows, tuple(variants), _best(facts, variants), told)


def _best(facts: Facts, variants: Sequence[SegmentVariant]) -> str | None:
    """Return the enabled variant with the best point."""
    enabled = {variant.key for variant in facts.experiment.definition.variants if variant.enabled}
    sign = 1.0 if facts.experiment.objective.better_up else -1.0
    points = {v.key: sign * v.point for v in variants if v.point is not None and v.key in enabled}
    return max(points, key=lambda key: points[key]) if len(points) > 1 else None


def _points(facts: Facts, places: Sequence[Place]) -> Points:
    """Return each variant's mean in each segment, its distance from the other variants' drawn to that elsewhere.

    Segments differ in their level, which is left as it is; what is shrunk is by how much a variant is better there.
    """
    keys = facts.experiment.variant_keys
    if facts.analysis is None or len(keys) < 2:
        return {}
    fixed = facts.survey.engine is Engine.FIXED
    estimates, variances = (_fixed if fixed else _adaptive)(facts.analysis, facts.experiment, places)
    whole = (np.isfinite(estimates) & (variances > 0)).all(axis=1)
    estimates, variances = estimates[whole], variances[whole]
    level = estimates.mean(axis=1, keepdims=True)
    apart = variances * (1 - 2 / len(keys)) + variances.sum(axis=1, keepdims=True) / len(keys) ** 2
    points = level + for_whom(estimates - level, apart)[0]
    values = [places[row].value for row in np.flatnonzero(whole).tolist()]
    return {
        (value, key): point
        for value, row in zip(values, points.tolist(), strict=True)
        for key, point in zip(keys, row, strict=True)
    }


def _fixed(analysis: Analysis, experiment: Experiment, places: Sequence[Place]) -> tuple[Floats, Floats]:
    """Return (S, K) plain means and their squared standard errors; NaN where there is none."""
    found = np.full((2, len(places), len(experiment.variant_keys)), np.nan)
    for row, place in enumerate(places):
        ledger = analysis.ledger(experiment.objective.key, place)
        moments = {} if ledger is None else ledger.moments
        for column, key in enumerate(experiment.variant_keys):
            estimate = moments.get(key, Moments()).estimate()
            if not isinstance(estimate, Missing):
                found[:, row, column] = estimate.value, estimate.variance
    return found[0], found[1]


def _adaptive(analysis: Analysis, experiment: Experiment, places: Sequence[Place]) -> tuple[Floats, Floats]:
    """Return the same of doubly robust means."""
    limits = means(analysis.metrics[experiment.objective.key].sums)
    lanes = [analysis.frame.lanes.index(place) for place in places]
    at = np.ix_(lanes, [analysis.variants.index(key) for key in experiment.variant_keys])
    estimates = np.where(limits.shown[at], limits.estimate[at], np.nan)
    return estimates, limits.variance[at] / np.maximum(limits.rows[at], 1.0) ** 2
