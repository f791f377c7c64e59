"""What all policies over one logistic regression an arm share: they learn the same, and differ in how they choose."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from bandit.checks import require_bounded
from bandit.kernels import rules
from bandit.kernels.jit import plain
from bandit.kernels.laplace import add_rows, answer, answers, play, prior
from bandit.kernels.sequence import Played
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.serialization import Arrays
from bandit.types import Arms, Batch, Bools, Floats
from bandit.validation import require

RIDGE = Parameter(
    "ridge", 1.0, 1e-6, 1e6, "1/log-odds²", "pulls coefficients to zero: precision of each before any row"
)


_DIALS = {rules.UCB: "alpha", rules.THOMPSON: "spread"}
"""What each rule is told."""


class LogisticPolicy(Policy):
    """Logistic regression of the reward on z = (1, x), one an arm, each a normal posterior (``kernels/laplace.py``).

    The posterior that came out of one row goes into the next, so that the state is no sum: parts cannot be added.
    """

    contextual = True
    mergeable = False
    stepwise = True
    _rule: ClassVar[int]

    @property
    def _width(self) -> int:
        """How many features a context has."""
        return self.schema.width

    def _features(self, contexts: Floats) -> Floats:
        """Return the (n, width) features of (n, d) contexts, contiguous; each row depends on its context alone."""
        return plain(contexts)

    def _strength(self) -> float:
        """Return what the rule is told (:mod:`bandit.kernels.rules`)."""
        return float(self.params[_DIALS[self._rule]])

    def _cold(self, arms: int | None = None) -> Arrays:
        arms, size = len(self.arms) if arms is None else arms, self._width + 1
        return {"factor": np.tile(prior(size, self.params["ridge"]), (arms, 1)), "theta": np.zeros((arms, size))}

    def _derive(self) -> None:
        self._everything = np.ones(len(self.arms), dtype=np.bool_)

    def _set_state(self, state: Arrays) -> None:
        super()._set_state(state)
        # Answering once, here, leaves no compilation to the first visitor.
        self.distribution_one(np.zeros(self.schema.width))

    def with_arms(self, arms: Arms) -> Self:
        """Return the same posteriors over another set of arms; an added one begins with the prior."""
        before = {key: i for i, key in enumerate(self.arms.keys)}
        state = {name: array.copy() for name, array in self.state.items()} | LogisticPolicy._cold(self, len(arms))
        for to, key in enumerate(arms.keys):
            if key in before:
                for name in ("factor", "theta"):
                    state[name][to] = self.state[name][before[key]]
        return self._over(arms, state)

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse what is no share: rewards lie in [0, 1]."""
        low, high = rewards.min(), rewards.max()
        require(
            bool(low >= 0 and high <= 1),
            f"rewards of {self.name} must lie in [0, 1], found {low:g}..{high:g}; use a linear policy",
        )

    def _absorb(self, batch: Batch) -> None:
        arms, rewards, weights = plain(batch.arms, np.int64), plain(batch.rewards), plain(batch.weights)
        add_rows(self._features(batch.contexts), arms, rewards, weights, self.state["factor"], self.state["theta"])

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        laws = np.empty((len(contexts), len(self.arms)))
        mask = self._everything[None, :] if allowed is None else plain(allowed, np.bool_)
        how = (self._rule, self._strength())
        answers(how, self._features(contexts), self.state["factor"], self.state["theta"], mask, laws)
        return laws

    def _law_one(self, context: Floats, allowed: Bools | None) -> Floats:
        law = np.empty(len(self.arms))
        mask = self._everything if allowed is None else plain(allowed, np.bool_)
        features = self._features(context[None, :])[0]
        answer((self._rule, self._strength()), features, self.state["factor"], self.state["theta"], mask, law)
        return law

    @property
    def playable(self) -> bool:
        """Whether :meth:`play` is there: no arm was dropped."""
        return self.dropped is None

    def play(self, contexts: Floats, rewards: Floats, uniforms: Floats) -> Played:
        """Choose, see the reward and learn, round after round, as a loop over the two verbs does, only compiled.

        Every row counts 1. The policy ends with the very state that such a loop would have left.

        Parameters
        ----------
        contexts
            (n, d) encoded contexts.
        rewards
            (n, K) what each arm would pay in each round; only that of the drawn one is looked at.
        uniforms
            (n,) numbers in [0, 1) that the arms are drawn by: the first whose cumulative share exceeds the number.

        Raises
        ------
        InvalidInput
            Before anything has changed, for wrong shapes, rewards outside [0, 1], and a policy that is not
            :attr:`playable`.
        """
        require(self.playable, f"{self.name} plays only where no arm was dropped")
        contexts = self._contexts(contexts, len(rewards))
        rewards, uniforms = plain(rewards), plain(uniforms)
        played = Played.blank(len(contexts), len(self.arms), rewards, uniforms)
        self.check_rewards(rewards)
        require_bounded("contexts", contexts)
        play(
            (self._rule, self._strength()),
            self.exploration,
            self._features(contexts),
            rewards,
            uniforms,
            self.state["factor"],
            self.state["theta"],
            played.arms,
            played.propensities,
        )
        return played
