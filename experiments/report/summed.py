"""What the store's sums alone say of the objective, where no analysis has been stored: a fixed split's means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.analysis.fixed import FixedEngine
from experiments.analysis.inference import Survey
from experiments.analysis.ledger import Ledger
from experiments.analysis.question import Question
from experiments.analysis.values import ContrastFinding, Engine, MetricFindings, SegmentValue, VariantFinding
from experiments.model import Experiment, Metric, Variant
from experiments.report.split import Split
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.moments import Missing, Moments
from experiments.statistics.multiplicity import shared_alpha
from experiments.statistics.sequential import ALPHA

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
    alpha = shared_alpha(ALPHA, max(len(moments) - 1, 1))
    question = Question(alpha, experiment.definition.n_star, better_up=metric.better_up, bounds=metric.bounds)
    control = experiment.control.key
    others = [key for key in moments if key != control]
    if why is not None:
        means = tuple(VariantFinding(key, 0, reason=why.reason) for key in moments)
        contrasts = tuple(ContrastFinding(key, control, reason=why.reason, alpha=alpha) for key in others)
    else:
        engine = FixedEngine(_ledger(metric, moments), question)
        means = tuple(engine.mean(key) for key in moments)
        contrasts = tuple(engine.contrast(key, control) for key in others)
    return MetricFindings(
        metric=metric.key,
        segment=None,
        engine=Engine.FIXED,
        rows=sum(found.rows for found in moments.values()),
        alpha=alpha,
        family=len(others),
        variants=tuple(replace(mean, audit_reason=UNREAD) for mean in means),
        contrasts=contrasts,
    )


def _ledger(metric: Metric, moments: Mapping[str, Moments]) -> Ledger:
    """Return the ledger that these sums are part of."""
    tallies = np.zeros((7, len(moments)))
    for place, found in enumerate(moments.values()):
        tallies[:4, place] = found.rows, found.total, found.squares, found.nonzero
    return Ledger(metric.key, None, tuple(moments), tallies, AdaptiveSums.cold(len(moments), 1))
