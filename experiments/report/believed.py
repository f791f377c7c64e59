"""What is believed of variants: chance to be best, expected loss, lift. Never a proof, and labelled so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bandit.registry import REGISTRY
from experiments.model import Experiment
from experiments.report.facts import CHANGED, Facts
from experiments.report.numbers import BeliefLift
from experiments.statistics.belief import Belief, belief, beta_lift, normal_lift
from experiments.statistics.moments import Missing, Moments

LABEL = "a belief, not a proof: it assumes that rates do not change, and looking often makes it err more often"


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The belief about each variant, by its key; empty, with the reason as the label, where there is none."""

    label: str
    best: dict[str, float]
    loss: dict[str, float]
    lifts: dict[str, BeliefLift]


def beliefs_of(facts: Facts) -> Beliefs:
    """The belief about the variants' means, where one variant can be best for everybody."""
    found = _belief(facts)
    if isinstance(found, Missing):
        return Beliefs(f"not shown: {found.reason}", {}, {}, {})
    keys = [variant.key for variant in facts.variants]
    best, loss = (dict(zip(keys, values, strict=True)) for values in (found.best, found.loss))
    return Beliefs(LABEL, best, loss, _lifts(facts))


def _belief(facts: Facts) -> Belief | Missing:
    metric = facts.experiment.objective
    if _chooses_by_visitor(facts.experiment):
        return Missing("the policy chooses by the visitor's context, so that no one variant need be best")
    if facts.pooled:
        return Missing(CHANGED)
    if not all(math.isfinite(moments.total + moments.squares) for moments in facts.objective):
        return Missing("the sums are not finite numbers")
    if metric.binary and not all(0 <= moments.nonzero == moments.total <= moments.rows for moments in facts.objective):
        return Missing("the sums are not those of zeros and ones")
    moments = facts.objective if metric.better_up else tuple(_mirrored(m, metric.binary) for m in facts.objective)
    return belief(moments, binary=metric.binary)


def _mirrored(moments: Moments, binary: bool) -> Moments:
    """Return the moments of 1 - y, or of -y: the best variant is then the one with the most of it."""
    if binary:
        return Moments.binary(rows=moments.rows, conversions=moments.rows - moments.nonzero)
    return Moments(moments.rows, -moments.total, moments.squares, moments.nonzero)


def _lifts(facts: Facts) -> dict[str, BeliefLift]:
    """Return what is believed of each lift, where the control is far enough from zero to divide by it."""
    binary = facts.experiment.objective.binary
    moments = {v.key: found for v, found in zip(facts.variants, facts.objective, strict=True)}
    control = moments.pop(facts.experiment.control.key)
    found = {key: _lift(control, treatment, binary=binary) for key, treatment in moments.items()}
    return {key: BeliefLift(*quantiles) for key, quantiles in found.items() if not isinstance(quantiles, Missing)}


def _lift(control: Moments, treatment: Moments, *, binary: bool) -> tuple[float, ...] | Missing:
    if binary:
        if control.nonzero == 0 or treatment.rows == 0:
            return Missing("no conversions yet")
        return beta_lift(*((1 + m.total, 1 + m.rows - m.total) for m in (control, treatment))).quantiles
    one, other = control.estimate(), treatment.estimate()
    if isinstance(one, Missing):
        return one
    return other if isinstance(other, Missing) else normal_lift(one, other)


def _chooses_by_visitor(experiment: Experiment) -> bool:
    return REGISTRY[experiment.definition.policy.name].contextual and experiment.schema.width > 0
