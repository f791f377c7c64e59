"""What people call kinds of metrics, roles and directions, in the editor and on the results page."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.model import MetricKind, Role


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice."""

    value: str
    title: str


KINDS = {
    MetricKind.CONVERSION: "Conversion (yes or no)",
    MetricKind.COUNT: "Count (clicks, items)",
    MetricKind.REVENUE: "Revenue (money in)",
    MetricKind.SCORE: "Score (a grade)",
    MetricKind.BOUNCE: "Bounce (left at once)",
    MetricKind.DURATION: "Time spent (seconds)",
    MetricKind.COST: "Cost (money out)",
    MetricKind.RATIO: "Ratio of two others",
}
ROLES = {Role.OBJECTIVE: "Goal", Role.SECONDARY: "Watched", Role.GUARDRAIL: "Guardrail"}
BETTER = {"": "As usual for its kind", "more": "More is better", "less": "Less is better"}


def kinds() -> list[Choice]:
    """Every kind of metric."""
    return [Choice(kind.value, title) for kind, title in KINDS.items()]


def roles() -> list[Choice]:
    """Every role of a metric."""
    return [Choice(role.value, title) for role, title in ROLES.items()]


def directions() -> list[Choice]:
    """Which way is better."""
    return [Choice(*item) for item in BETTER.items()]
