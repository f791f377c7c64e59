"""What can be wrong with an experiment's data: one function a question, each answered by one :class:`Check`."""

from __future__ import annotations

from collections.abc import Callable

from bandit.delays import ENOUGH
from experiments.definition import LATE_SECONDS
from experiments.delayed import learns_open_rows
from experiments.goals import Goal
from experiments.report.facts import Facts, Split
from experiments.report.values import Check, Level
from experiments.statistics import ratio

EXPLORATION = 0.2
"""Below this share of uniform traffic a winner is seldom proved: 20-29% of runs at 1% a variant, 100% at 5%."""
LATE_SHARE = 0.05


def run_checks(facts: Facts) -> tuple[Check, ...]:
    """Ask every question that concerns the experiment."""
    found = (check(facts) for check in _CHECKS)
    return tuple(check for check in found if check is not None)


def check_data(facts: Facts) -> Check:
    """Has anything matured?"""
    waiting = max(facts.health.decisions - facts.rows, 0)
    if facts.rows:
        return Check("data", Level.OK, f"{facts.rows} rows have matured.")
    if facts.health.decisions == 0:
        return Check("data", Level.INFO, "No decision has been logged yet.", "Call POST /choose for a visitor.")
    window = facts.experiment.objective.window_seconds
    return Check("data", Level.INFO, f"{waiting} decisions wait for their reward window of {window} s to close.")


def check_window(facts: Facts) -> Check | None:
    """Does the reward window keep the policy from learning?"""
    window = facts.experiment.objective.window_seconds
    if window <= LATE_SECONDS or facts.experiment.definition.policy.name == "fixed" or facts.experiment.imported:
        return None
    if learns_open_rows(facts.experiment.definition):
        return Check(
            "window",
            Level.INFO,
            f"Decisions teach before their reward window of {window / 3600:g} h has closed: each by the share of "
            f"rewards that usually came by its age, once {ENOUGH} rewarded ones have closed.",
        )
    return Check(
        "window",
        Level.WARNING,
        f"A decision teaches nothing before its reward window of {window / 3600:g} h has closed.",
        "Choose a metric that is known sooner or a policy such as thompson, or expect slow learning.",
    )


def check_split(facts: Facts) -> Check | None:
    """Did the split arrive that was asked for? Valid at every look."""
    if not isinstance(facts.split, Split) or facts.rows == 0 or len(facts.split.weights) < 2:
        return None
    counts = {variant.key: moments.rows for variant, moments in zip(facts.variants, facts.objective, strict=True)}
    keys = list(facts.split.weights)
    p = ratio.p_value([counts.get(key, 0) for key in keys], [facts.split.weights[key] for key in keys])
    if p > ratio.ALARM:
        return Check("split", Level.OK, f"The split that came is the split that was asked for (p = {p:.3g}).")
    return Check(
        "split",
        Level.ALARM,
        f"The split that came is not the split that was asked for (p = {p:.3g}).",
        "Do not read the results: look for visitors or rewards that one variant loses.",
    )


def check_exploration(facts: Facts) -> Check | None:
    """Is enough traffic uniform for a proof to be possible?"""
    experiment = facts.experiment
    chosen = experiment.definition.policy.name == "fixed" or experiment.definition.goal is not Goal.CUSTOM
    if chosen or experiment.imported or experiment.exploration >= EXPLORATION:
        return None
    return Check(
        "exploration",
        Level.WARNING,
        f"Only {experiment.exploration:.0%} of the traffic explores: a winner may never be proved.",
        f"Explore at least {EXPLORATION:.0%} where a proof is wanted.",
    )


def check_rewards(facts: Facts) -> Check | None:
    """Do rewards find their decisions, and in time?"""
    health = facts.health
    troubles = {
        "belong to no known decision": health.unmatched,
        "contradict an earlier one": health.conflicting,
        "came after the window": health.late if health.late > LATE_SHARE * max(health.rewards, 1) else 0,
    }
    if not any(troubles.values()):
        return Check("rewards", Level.OK, f"{health.rewards} rewards came in.") if health.rewards else None
    said = ", ".join(f"{count} {trouble}" for trouble, count in troubles.items() if count)
    return Check("rewards", Level.WARNING, f"Of {health.rewards} rewards {said}.", "They are kept, but not counted.")


def check_quarantine(facts: Facts) -> Check | None:
    """Were records put aside?"""
    if facts.health.quarantined == 0:
        return None
    return Check(
        "quarantine",
        Level.WARNING,
        f"{facts.health.quarantined} records that the store refused were put aside.",
        "Read their reasons in the quarantine table.",
    )


_CHECKS: tuple[Callable[[Facts], Check | None], ...] = (
    check_data,
    check_window,
    check_split,
    check_exploration,
    check_rewards,
    check_quarantine,
)
