"""Is enough traffic explored for a proof to be possible in reasonable time?"""

from __future__ import annotations

from experiments.goals import Goal
from experiments.report import course
from experiments.report.facts import Facts
from experiments.report.values import Check, Level

EXPLORATION = 0.2
"""Below this share of uniform traffic a winner is seldom proved: 20-29% of runs at 1% a variant, 100% at 5%."""
SLOW = 90.0
"""Days to a provable winner that are too many to wait for."""


def check_exploration(facts: Facts, left: float | None) -> Check | None:
    """Is enough traffic uniform for a proof to be possible, and near: about so many days away?"""
    experiment = facts.experiment
    if experiment.definition.policy.name == "fixed" or experiment.imported:
        return None
    own = experiment.definition.goal is Goal.CUSTOM
    slow = left is not None and left > SLOW
    if not slow and not (own and experiment.exploration < EXPLORATION):
        return None
    when = "a winner may never be proved" if left is None else f"a provable winner is {course.days(left)} away"
    return Check(
        "exploration",
        Level.WARNING if own else Level.INFO,
        f"Only {experiment.exploration:.0%} of the traffic explores: {when}.",
        f"Explore at least {EXPLORATION:.0%} where a proof is wanted."
        if experiment.exploration < EXPLORATION
        else "Explore more, try fewer variants, or bolder ones.",
    )
