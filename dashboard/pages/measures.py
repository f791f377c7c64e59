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
SENT = {
    MetricKind.CONVERSION: "one reward, when it happened",
    MetricKind.COUNT: "a reward for each, or one with how many as its value; they add up",
    MetricKind.REVENUE: "the money as the value, with the order as the id; it adds up",
    MetricKind.SCORE: "the grade as the value; the latest counts",
    MetricKind.BOUNCE: "one reward once somebody scrolls or stays: it says that they did not bounce",
    MetricKind.DURATION: "the seconds so far as the value, now and then; the longest counts",
    MetricKind.COST: "money as the value, besides what the variant costs by itself; it adds up",
    MetricKind.RATIO: "nothing: it is worked out from two others",
}
"""What the site sends under a metric's key."""
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
