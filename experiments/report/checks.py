"""What can be wrong with an experiment's data: one function a question, each answered by one :class:`Check`."""

from __future__ import annotations

from collections.abc import Callable

from bandit.delays import ENOUGH
from experiments.definition import LATE_SECONDS
from experiments.delayed import learns_open_rows
from experiments.model import UnitKind
from experiments.report.drawing import check_bias, check_crossing, check_propensities, check_split
from experiments.report.exploring import check_exploration
from experiments.report.facts import Facts
from experiments.report.values import Check, Level

LATE_SHARE = 0.05


def run_checks(facts: Facts, *, left: float | None = None) -> tuple[Check, ...]:
    """Ask every question that concerns the experiment; ``left`` is in about how many days a winner is proved."""
    found = (*(check(facts) for check in _CHECKS), check_exploration(facts, left))
    return tuple(check for check in found if check is not None)


def check_data(facts: Facts) -> Check:
    """Has anything matured?"""
    waiting = max(facts.health.decisions - facts.rows, 0)
    if facts.rows > 0:
        return Check("data", Level.OK, f"{facts.rows} {_units(facts)} are counted: their reward windows have closed.")
    if facts.health.decisions == 0:
        return Check("data", Level.INFO, "No decision has been logged yet.", "Call POST /choose for a visitor.")
    window = facts.experiment.definition.window // 1_000_000
    return Check("data", Level.INFO, f"{waiting} decisions wait for their reward window of {window} s to close.")


def _units(facts: Facts) -> str:
    return "visitors" if facts.experiment.definition.unit is UnitKind.VISITOR else "decisions"


def check_analysis(facts: Facts) -> Check | None:
    """Is everything analysed that has matured?"""
    if not facts.missing or facts.rows == 0:
        return None
    return Check("analysis", Level.INFO, f"{facts.missing[0].upper()}{facts.missing[1:]}.")


def check_contents(facts: Facts) -> Check | None:
    """Did variants show the same all the time?"""
    if not facts.course.changed:
        return None
    counted = (
        "visitors and rates are still those of before and after together, and nothing is compared"
        if facts.pooled
        else f"visitors, rates, intervals and proofs count from {facts.course.date} on"
    )
    return Check(
        "contents",
        Level.WARNING,
        f"What a variant shows was changed under its key, in version {facts.course.version}: {counted}.",
        "Add a changed page as a variant of its own, so that both can be compared.",
    )


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


def check_rewards(facts: Facts) -> Check | None:
    """Do rewards find their decisions?"""
    health = facts.health
    troubles = {"belong to no known decision": health.unmatched, "contradict an earlier one": health.conflicting}
    found = {trouble: count for trouble, count in troubles.items() if count > 0}
    if not found:
        return Check("rewards", Level.OK, f"{health.rewards} rewards came in.") if health.rewards > 0 else None
    said = ", ".join(f"{count} {trouble}" for trouble, count in found.items())
    return Check("rewards", Level.WARNING, f"Of {health.rewards} rewards {said}.", "They are kept, but not counted.")


def check_late(facts: Facts) -> Check | None:
    """Do rewards come within their window?"""
    health = facts.health
    if health.late <= LATE_SHARE * max(health.rewards, 1):
        return None
    window = facts.experiment.objective.window_seconds
    return Check(
        "late",
        Level.WARNING,
        f"Of {health.rewards} rewards {health.late} came after their window: delays are longer than "
        f"{window / 3600:.3g} h, and every rate is too low by what came late.",
        "They are kept, but not counted. A window is fixed once an experiment runs: choose a longer one next time.",
    )


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
    *(check_data, check_analysis, check_contents, check_window, check_split, check_propensities),
    *(check_crossing, check_bias, check_rewards, check_late, check_quarantine),
)
