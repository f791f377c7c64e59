"""The tests of one look, for a finished experiment whose split was fixed, and for comparison with other tools."""

from __future__ import annotations

from experiments.model import Metric, MetricKind, State
from experiments.report.facts import Facts
from experiments.report.numbers import FinalTest
from experiments.report.split import Split
from experiments.statistics.covariates import JointMoments, metric_ratio
from experiments.statistics.effect import effect_of
from experiments.statistics.frequentist.means import fieller_limits, welch
from experiments.statistics.moments import Estimate, Missing
from experiments.statistics.multiplicity import shared_alpha
from experiments.statistics.sequential import ALPHA


def finals(facts: Facts, metric: Metric, *, contrasts: int) -> dict[str, FinalTest]:
    """Return Welch's test of each variant against the control, by key: nothing while it runs, or if traffic moved."""
    over = facts.experiment.imported or facts.experiment.state in (State.STOPPED, State.ARCHIVED)
    if not over or not isinstance(facts.split, Split):
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


def _estimates(facts: Facts, metric: Metric) -> dict[str, Estimate | Missing]:
    """Return the means of the whole experiment, or what is missing."""
    if metric.kind is not MetricKind.RATIO:
        pairs = zip(facts.variants, facts.moments_of(metric.key), strict=True)
        return {variant.key: moments.estimate() for variant, moments in pairs}
    ledger = None if facts.analysis is None else facts.analysis.ledger(metric.key)
    joint = {} if ledger is None else ledger.joint
    return {variant.key: metric_ratio(joint.get(variant.key, JointMoments())) for variant in facts.variants}


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
