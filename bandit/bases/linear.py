"""What all policies over one ridge regression an arm share: they learn the same, and differ in how they choose."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np

from bandit.kernels import rules, sequence
from bandit.kernels.jit import plain
from bandit.kernels.lanes import padded
from bandit.kernels.ridge import add_rows, factorise
from bandit.kernels.scores import answer_many, answer_one, empty_scorer, interleave
from bandit.kernels.sequence import Played
from bandit.parameters import Parameter
from bandit.policy import SumPolicy
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats
from bandit.validation import require

BOUND = (Parameter("alpha", 0.25, 0.0, 1e6, "reward", "width of the bound: larger explores more"),)
CHANCE = (
    Parameter("noise", 0.1, 1e-6, 1e6, "reward", "spread of a reward around its expectation: larger explores more"),
)
GREEDY = (
    Parameter("epsilon", 0.1, 0.0, 1.0, "share", "share of visitors spread evenly, before it decays"),
    Parameter("halving", 1000.0, 0.0, 1e12, "decisions", "after so many, epsilon is half as large; 0: it stays"),
)
GAPS = (Parameter("scale", 20.0, 0.0, 1e6, "1/reward", "larger trusts the estimates more"),)
RIDGE = Parameter("ridge", 1.0, 1e-6, 1e6, "visitors", "pulls coefficients to zero, as so many visitors without reward")


_DIALS = {rules.UCB: BOUND, rules.THOMPSON: CHANCE, rules.EPSILON: GREEDY, rules.GAP: GAPS}
"""What each rule is told."""


class LinearPolicy(SumPolicy):
    """Ridge regression of the reward on (1, x), one an arm; the sums are the state, its factors are derived.

    Learning adds to the sums alone. Their factors are derived when an answer needs them next, of the arms that learned
    since: from the sums and nothing else, so that a policy that was saved and read answers the same.
    """

    contextual = True
    _rule: ClassVar[int]

    @property
    def _width(self) -> int:
        """How many features a context has."""
        return self.schema.width

    def _features(self, contexts: Floats) -> Floats:
        """Return the (n, width) features of (n, d) contexts, contiguous; each row depends on its context alone."""
        return plain(contexts)

    def _features_one(self, context: Floats) -> Floats:
        """Return the (width,) features of one context."""
        return plain(context)

    def _how(self) -> tuple[float, float]:
        """Return what :func:`bandit.kernels.rules.strength` needs to know of the parameters."""
        told = [self.params[dial.name] for dial in _DIALS[self._rule]]
        return told[0], told[1] if len(told) > 1 else 0.0

    def _cold(self) -> Arrays:
        arms, size = len(self.arms), self._width + 1
        return {"outer": np.zeros((arms, size, size)), "cross": np.zeros((arms, size))}

    def _set_state(self, state: Arrays) -> None:
        super()._set_state(state)
        # Answering once, here, leaves neither solving nor compilation to the first visitor.
        self.distribution_one(np.zeros(self.schema.width))

    def _derive(self) -> None:
        size = self._width + 1
        self._factor = np.zeros_like(self.state["outer"])
        self._theta = np.zeros_like(self.state["cross"])
        self._scorer = empty_scorer(len(self.arms), size)
        self._everything = np.ones(len(self.arms), dtype=np.bool_)
        self._lock = threading.Lock()
        self._waiting: Bools | None = self._everything.copy()

    def _solve(self) -> None:
        """Derive what waits for it; whoever asks meanwhile waits, too."""
        with self._lock:
            waiting = self._waiting
            if waiting is not None:
                outer, cross = self.state["outer"], self.state["cross"]
                solved = factorise(waiting, outer, cross, self.params["ridge"], self._factor, self._theta)
                require(solved, f"the sums of {self.name} must have a finite solution, found none")
                interleave(waiting, self._factor, self._theta, self._scorer)
                self._strength = rules.strength(self._rule, *self._how(), self._learned())
                self._waiting = None

    def _learned(self) -> float:
        return float(self.state["outer"][:, 0, 0].sum())

    def _absorb(self, batch: Batch) -> None:
        contexts, arms = self._features(batch.contexts), plain(batch.arms, np.int64)
        rewards, weights = plain(batch.rewards), plain(batch.weights)
        touched = add_rows(contexts, arms, rewards, weights, self.state["outer"], self.state["cross"])
        self._waiting = touched if self._waiting is None else self._waiting | touched

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        if self._waiting is not None:
            self._solve()
        mask = self._everything[None, :] if allowed is None else plain(allowed, np.bool_)
        return answer_many(self._rule, self._strength, self._features(contexts), mask, self._scorer)

    def distribution_one(self, context: Floats, allowed: Bools | None = None) -> Floats:
        """Return the (K,) answer for one visitor, see :meth:`bandit.policy.Policy.distribution_one`."""
        if self.dropped is not None:
            return super().distribution_one(context, allowed)
        if self._waiting is not None:
            self._solve()
        mask = self._everything if allowed is None else allowed
        answer = np.empty(len(mask))
        features = self._features_one(context)
        answer_one(self._rule, self._strength, self.exploration, features, mask, self._scorer, answer)
        return answer

    @property
    def playable(self) -> bool:
        """Whether :meth:`play` is there: nothing fades, and no arm was dropped."""
        return not self.forgetting.active and self.dropped is None

    def play(self, contexts: Floats, rewards: Floats, uniforms: Floats) -> Played:
        """Choose, see the reward and learn, round after round, as a loop over the two verbs does, only compiled.

        Every row counts 1. The policy ends with the sums that such a loop would have left.

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
            Before anything has changed, for wrong shapes, numbers beyond ±1e50, NaN, and a policy that is not
            :attr:`playable`.
        """
        require(self.playable, f"{self.name} plays only where nothing fades and no arm was dropped")
        contexts = plain(self._contexts(contexts, len(rewards)))
        rewards, uniforms = plain(rewards), plain(uniforms)
        played = Played.blank(len(contexts), len(self.arms), rewards, uniforms)
        features = self._features(contexts)
        for piece in sequence.pieces(len(contexts), self._learned()):
            self._play(features[piece], rewards[piece], uniforms[piece], played.arms[piece], played.propensities[piece])
        return played

    def _play(self, contexts: Floats, rewards: Floats, uniforms: Floats, arms: Any, propensities: Floats) -> None:
        if self._waiting is not None:
            self._solve()
        wide = padded(self._width + 1)
        inverse, theta = np.empty((len(self.arms), wide, wide)), np.zeros((len(self.arms), wide))
        sequence.inverses(self._factor, inverse)
        theta[:, : self._width + 1] = self._theta
        how = (self._rule, *self._how(), self.exploration)
        sequence.play(how, self._learned(), contexts, rewards, uniforms, inverse, theta, arms, propensities)
        paid = rewards[np.arange(len(arms)), arms]
        touched = add_rows(contexts, arms, paid, np.ones(len(arms)), self.state["outer"], self.state["cross"])
        self._waiting = touched
