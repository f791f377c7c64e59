"""The choice of policies, as the editor shows it: built from the registry, with a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bandit import registry
from bandit.registry import Parameter

TITLES = {
    "fixed": ("A/B test", "Splits traffic by fixed weights, so that the result can be proved."),
    "thompson": (
        "Thompson sampling",
        "For yes/no goals: moves traffic to what converts best, in step with how sure it is.",
    ),
    "thompson_normal": ("Thompson sampling for values", "The same for revenue, counts and scores."),
    "linear_thompson": ("Linear Thompson sampling", "Learns who prefers what, in step with how sure it is."),
    "linucb": ("LinUCB", "Learns who prefers what, and favours what it knows least about."),
    "vw_squarecb": ("Vowpal Wabbit: SquareCB", "Learns online; explores less where the gap is clear."),
    "vw_epsilon": ("Vowpal Wabbit: ε-greedy", "Learns online; a fixed share explores."),
    "vw_bag": ("Vowpal Wabbit: bagging", "Learns online; several models vote."),
    "vw_cover": ("Vowpal Wabbit: cover", "Learns online; keeps a small set of diverse policies."),
    "vw_softmax": ("Vowpal Wabbit: softmax", "Learns online; chances grow with predicted scores."),
}
"""Title and sentence of the policies that we know of; a registered one without shows its name."""

FIRST = ("fixed", "thompson", "thompson_normal", "linear_thompson")
"""Shown at once; the others after a click."""


@dataclass(frozen=True, slots=True)
class Card:
    """One policy to choose."""

    name: str
    title: str
    text: str
    contextual: bool
    first: bool
    parameters: tuple[Parameter, ...]


@cache
def cards() -> tuple[Card, ...]:
    """Return all policies, those that most people need first."""
    found = [_card(name) for name in registry.names()]
    return tuple(sorted(found, key=lambda card: (not card.first, FIRST.index(card.name) if card.first else 0)))


def title(name: str) -> str:
    """Return what people call a policy."""
    return TITLES.get(name, (name, ""))[0]


def _card(name: str) -> Card:
    text = TITLES.get(name, (name, ""))
    contextual = registry.policy_class(name).contextual
    return Card(name, *text, contextual, name in FIRST, registry.parameters(name))
