"""Facts of experiments, made from sums or from rows: what reports are tried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.analysis import Analysis, proved
from experiments.definition import parse
from experiments.model import Experiment, Micros, State
from experiments.report import Check, ExperimentReport
from experiments.report.course import DAY, course_of
from experiments.report.facts import Facts
from experiments.report.split import split_of
from experiments.report.traffic import MINUTE
from experiments.statistics.moments import Moments
from experiments.store import AnalysisRow, ExperimentVersion, Health, TrafficBucket

NOW = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
Sums = dict[str, Moments]
DEVICE = {"name": "device", "type": "category", "values": ["mobile", "desktop"]}


def experiment_of(**changes: Any) -> Experiment:
    """A running A/B test with a control, changed as asked."""
    body = {
        "key": "spring",
        "variants": [{"key": "a", "name": "Today's page", "control": True}, {"key": "b", "name": "New page"}],
        "metrics": [{"key": "purchase", "max": 1}],
        "policy": {"name": "fixed"},
    }
    definition = parse(body | changes)
    slots = tuple(range(len(definition.variants)))
    return Experiment(id=1, definition=definition, slots=slots, version=2, phase=1, state=State.RUNNING)


def buckets_of(shares: dict[str, float], decisions: int, *, minutes: int = 1) -> list[TrafficBucket]:
    """Traffic that was drawn with these probabilities."""
    return [
        TrafficBucket(NOW + minute * MINUTE, key, round(decisions * share), decisions * share)
        for minute in range(minutes)
        for key, share in shares.items()
    ]


def version_of(experiment: Experiment, *, phase: int = 1, time: Micros = NOW) -> ExperimentVersion:
    """The experiment as a version of itself."""
    return ExperimentVersion(phase, phase, State.RUNNING, time, "ada", experiment)


def facts_of(sums: Sums, *, experiment: Experiment | None = None, **changes: Any) -> Facts:
    """What the store would say of an experiment with these sums of its objective, and no analysis."""
    experiment = experiment or experiment_of()
    rows = sum(moments.rows for moments in sums.values())
    keys = experiment.variant_keys
    buckets = buckets_of({key: 1 / len(keys) for key in keys}, rows)
    facts = Facts(
        experiment=experiment,
        now=NOW,
        variants=experiment.definition.variants,
        moments={experiment.objective.key: sums},
        step=MINUTE,
        buckets=buckets,
        latest=buckets,
        health=Health(decisions=rows, rewards=sum(moments.nonzero for moments in sums.values())),
        split=split_of([version_of(experiment)], {1}, buckets),
        policy_version=3,
    )
    return replace(facts, **changes)


def binary(rows: int, conversions: int) -> Moments:
    """Zeros and ones."""
    return Moments.binary(rows=rows, conversions=conversions)


def rows_of(
    experiment: Experiment,
    outcomes: Callable[[str, dict[str, Any], np.random.Generator], dict[str, float]],
    *,
    count: int = 2_000,
    days: float = 20.0,
    law: Callable[[int], Sequence[float]] | None = None,
    crossed: float = 0.0,
    seed: int = 0,
) -> list[AnalysisRow]:
    """Rows spread evenly over the days before ``NOW``: half the visitors come with a phone, and each has an age."""
    rng, keys = np.random.default_rng(seed), experiment.variant_keys
    rows = []
    for number in range(count):
        p = np.full(len(keys), 1 / len(keys)) if law is None else np.asarray(law(number), dtype=np.float64)
        variant = keys[int(rng.choice(len(keys), p=p))]
        context = {"device": "mobile" if rng.random() < 0.5 else "desktop", "age": float(rng.normal(40, 10))}
        rows.append(
            AnalysisRow(
                seq=number + 1,
                decision=f"d{number}",
                unit=None,
                version=experiment.version,
                phase=1,
                time=NOW - round((count - number) * days * DAY / count),
                variant=variant,
                variants=keys,
                distribution=p,
                context=context,
                outcomes=outcomes(variant, context, rng),
                step=1,
                crossed=bool(rng.random() < crossed),
            )
        )
    return rows


def sales(**rates: float) -> Callable[[str, dict[str, Any], np.random.Generator], dict[str, float]]:
    """Conversions at these rates."""
    return lambda variant, _, rng: {"purchase": float(rng.random() < rates[variant])}


def analysed(experiment: Experiment, rows: Sequence[AnalysisRow], **changes: Any) -> Facts:
    """What the store would say of these rows once they are analysed, with what is proved by them."""
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows)
    return facts_from(experiment, rows, analysis, **changes)


def facts_from(experiment: Experiment, rows: Sequence[AnalysisRow], analysis: Analysis, **changes: Any) -> Facts:
    """The same of an analysis that there is already."""
    sums = sums_of(experiment, rows)
    begun = rows[0].time if rows else NOW
    versions = [version_of(experiment, time=begun)]
    facts = Facts(
        experiment=experiment,
        now=NOW,
        variants=experiment.definition.variants,
        moments=sums,
        step=MINUTE,
        buckets=[],
        latest=[],
        health=Health(decisions=len(rows)),
        split=split_of(versions, {1}, []),
        policy_version=3,
        course=course_of(versions, (begun, NOW) if rows else None, since=analysis.since, now=NOW),
        proofs=tuple(proved(analysis, experiment, time=NOW)),
        analysis=analysis,
        missing="",
    )
    return replace(facts, **changes)


def sums_of(experiment: Experiment, rows: Sequence[AnalysisRow]) -> dict[str, Sums]:
    """The store's sums of rows."""
    sums: dict[str, Sums] = {}
    for row in rows:
        for metric, value in row.outcomes.items():
            part = sums.setdefault(metric, {})
            part[row.variant] = part.get(row.variant, Moments()) + Moments(1, value, value * value, int(value != 0))
    return {metric.key: sums.get(metric.key, {}) for metric in experiment.definition.metrics}


def check_of(report: ExperimentReport, name: str) -> Check | None:
    """The check of that name, if it was made."""
    return next((check for check in report.checks if check.name == name), None)
