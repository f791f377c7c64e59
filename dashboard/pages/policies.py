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
    "thompson_count": ("Thompson sampling for counts", "The same for clicks, pages or items a visitor."),
    "top_two_thompson": ("Top-two Thompson sampling", "For yes/no goals: finds the best variant soonest."),
    "epsilon_greedy": ("ε-greedy", "Shows the best mean so far, and any variant to a fixed or shrinking share."),
    "ucb1": ("UCB1", "Shows the variant that could plausibly be the best."),
    "kl_ucb": ("KL-UCB", "The same with tighter bounds, for goals between two known values."),
    "softmax": ("Softmax", "Shares grow with the mean reward."),
    "exp3_ix": ("EXP3-IX", "Assumes nothing of how rewards come about, and is slow for it."),
    "linear_thompson": ("Linear Thompson sampling", "Learns who prefers what, in step with how sure it is."),
    "linucb": ("LinUCB", "Learns who prefers what, and favours what it knows least about."),
    "linear_epsilon_greedy": ("Linear ε-greedy", "Learns who prefers what; a fixed share explores."),
    "linear_squarecb": ("Linear SquareCB", "Learns who prefers what; explores less where the gap is clear."),
    "logistic_ucb": ("Logistic UCB", "Like LinUCB, for yes/no goals with rates near 0 or 1."),
    "logistic_thompson": ("Logistic Thompson sampling", "The same for yes/no goals with rates near 0 or 1."),
    "fourier_linucb": ("Curved LinUCB", "Learns who prefers what, also where that is no straight line."),
    "fourier_thompson": ("Curved Thompson sampling", "The same, in step with how sure it is."),
    "fourier_logistic_ucb": ("Curved logistic UCB", "For yes/no goals, also where preferences are no straight line."),
    "fourier_logistic_thompson": ("Curved logistic Thompson sampling", "The same, in step with how sure it is."),
    "hybrid_linucb": ("Sharing LinUCB", "Judges a new variant by others like it, from what variants have in common."),
    "hybrid_thompson": ("Sharing Thompson sampling", "The same, in step with how sure it is."),
    "hybrid_epsilon_greedy": ("Sharing ε-greedy", "The same; a fixed share explores."),
    "hybrid_squarecb": ("Sharing SquareCB", "The same; explores less where the gap is clear."),
    "hybrid_logistic_ucb": ("Sharing logistic UCB", "The same for yes/no goals with rates near 0 or 1."),
    "hybrid_logistic_thompson": ("Sharing logistic Thompson", "The same, in step with how sure it is."),
    "neural_linear": ("Neural linear", "Learns what matters with a small network, and who prefers what on top of it."),
    "ensemble": ("Ensemble", "Runs several policies at once, and follows those that earn most."),
    "auto": ("Automatic", "Finds out which way of learning suits your visitors, also when that changes."),
    "vw_squarecb": ("Vowpal Wabbit: SquareCB", "Learns online; explores less where the gap is clear."),
    "vw_epsilon": ("Vowpal Wabbit: ε-greedy", "Learns online; a fixed share explores."),
    "vw_bag": ("Vowpal Wabbit: bagging", "Learns online; several models vote."),
    "vw_cover": ("Vowpal Wabbit: cover", "Learns online; keeps a small set of diverse policies."),
    "vw_softmax": ("Vowpal Wabbit: softmax", "Learns online; chances grow with predicted scores."),
}
"""Title and sentence of the policies that we know of; a registered one without shows its name."""

FIRST = ("auto", "fixed", "thompson", "thompson_normal", "linear_thompson")
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
