"""The tests of one look, for a finished experiment whose split was fixed, and for comparison with other tools."""

from __future__ import annotations

from experiments.analysis.values import Engine
from experiments.model import Metric, MetricKind, State
from experiments.report.facts import Facts
from experiments.report.numbers import FinalTest
from experiments.report.split import Split
from experiments.statistics.covariates import JointMoments, metric_ratio
from experiments.statistics.effect import effect_of
from experiments.statistics.frequentist.means import fieller_limits, welch
from experiments.statistics.moments import Estimate, Missing, Moments
from experiments.statistics.multiplicity import shared_alpha
from experiments.statistics.sequential import ALPHA


def finals(facts: Facts, metric: Metric, *, contrasts: int) -> dict[str, FinalTest]:
    """Return Welch's test of each variant against the control, by key: nothing while it runs, or if traffic moved.

    It is of the rows that count: since contents were last changed, and none where those are not known.
    """
    over = facts.experiment.imported or facts.experiment.state in (State.STOPPED, State.ARCHIVED)
    if not over or not _one_split(facts):
        return {}
    estimates = _estimates(facts, metric)
    control = estimates.pop(facts.experiment.control.key)
    if isinstance(control, Missing):
        return {}
    alpha = shared_alpha(ALPHA, contrasts)
    return {
        key: _final(control, treatment, alpha)
        for key, treatment in estimates.items()
        if not isinstance(treatment, Missing)
    }


def _one_split(facts: Facts) -> bool:
    """Whether one weight vector drew all rows that count."""
    if facts.analysis is not None:
        return facts.survey.engine is Engine.FIXED
    return isinstance(facts.split, Split) and not facts.pooled


def _estimates(facts: Facts, metric: Metric) -> dict[str, Estimate | Missing]:
    """Return the means of the rows that count, or what is missing."""
    ledger = None if facts.analysis is None else facts.analysis.ledger(metric.key)
    keys = [variant.key for variant in facts.variants]
    if metric.kind is MetricKind.RATIO:
        joint = {} if ledger is None else ledger.joint
        return {key: metric_ratio(joint.get(key, JointMoments())) for key in keys}
    found = facts.moments.get(metric.key, {}) if ledger is None else ledger.moments
    return {key: found.get(key, Moments()).estimate() for key in keys}


def _final(control: Estimate, treatment: Estimate, alpha: float) -> FinalTest:
    effect = effect_of(control, treatment)
    test = welch(effect, alpha=alpha)
    lift = fieller_limits(effect, alpha=alpha)
    known = None if isinstance(lift, Missing) else lift
    return FinalTest(
        low=test.low,
        high=test.high,
        p_value=test.p_value,
        lift_low=None if known is None else known.low,
        lift_high=None if known is None else known.high,
    )
