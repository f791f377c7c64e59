"""Logistic policies over a context, one regression an arm: upper bounds and Thompson sampling, learned row by row."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np

from bandit.laplace import LARGEST, add_rows, fill_by_bound, fill_by_chance, prior
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.serialization import Arrays
from bandit.shares import plain
from bandit.types import Arms, Batch, Bools, Floats
from bandit.validation import require

RIDGE = Parameter(
    "ridge", 1.0, 1e-6, 1e6, "1/log-odds²", "pulls coefficients to zero: precision of each before any row"
)


class LogisticPolicy(Policy):
    """Logistic regression of the reward on z = (1, x), one an arm, each a normal posterior (:mod:`bandit.laplace`).

    The posterior that came out of one row goes into the next, so that the state is no sum: parts cannot be added.
    """

    contextual = True
    mergeable = False
    stepwise = True

    def _cold(self, arms: int | None = None) -> Arrays:
        arms, size = len(self.arms) if arms is None else arms, self.schema.width + 1
        return {"factor": np.tile(prior(size, self.params["ridge"]), (arms, 1)), "theta": np.zeros((arms, size))}

    def _derive(self) -> None:
        self._everything = np.ones((1, len(self.arms)), dtype=np.bool_)
        # Answering once, here, leaves no compilation to the first visitor.
        self.distribution_one(np.zeros(self.schema.width))

    def with_arms(self, arms: Arms) -> Self:
        """Return the same posteriors over another set of arms; an added one begins with the prior."""
        before = {key: i for i, key in enumerate(self.arms.keys)}
        state = self._cold(len(arms))
        for to, key in enumerate(arms.keys):
            if key in before:
                for name, array in self.state.items():
                    state[name][to] = array[before[key]]
        return self._over(arms, state)

    def _check_rewards(self, rewards: Floats) -> None:
        low, high = rewards.min(), rewards.max()
        require(
            bool(low >= 0 and high <= 1),
            f"rewards of {self.name} must lie in [0, 1], found {low:g}..{high:g}; use a linear policy",
        )

    def _absorb(self, batch: Batch) -> None:
        largest = max(float(np.abs(batch.contexts).max(initial=0.0)), float(batch.weights.max()))
        require(largest <= LARGEST, f"contexts and weights of {self.name} must not exceed {LARGEST:g}, found {largest}")
        add_rows(
            plain(batch.contexts),
            plain(batch.arms, np.int64),
            plain(batch.rewards),
            plain(batch.weights),
            self.state["factor"],
            self.state["theta"],
        )

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        law = np.zeros((len(contexts), len(self.arms)))
        self._fill(plain(contexts), self._everything if allowed is None else plain(allowed, np.bool_), law)
        return law

    @abstractmethod
    def _fill(self, contexts: Floats, allowed: Bools, law: Floats) -> None:
        """Write the law into zeros; ``allowed`` has one row for all contexts, or one for each."""


class LogisticUCB(LogisticPolicy):
    """Chooses the arm whose chance of a reward could plausibly be the highest, for rewards in [0, 1].

    The reward of arm k is 1 with probability p = 1/(1 + exp(-z'β_k)), z = (1, x), β_k ~ N(θ_k, A_k⁻¹), by Laplace's
    approximation renewed with every row; A_k begins as ``ridge``·I. The bound, in log-odds, is

        z'θ_k + ``alpha``·sqrt(z'A_k⁻¹z),

    in the same order as the chances themselves. Arms that tie exactly share evenly. A reward strictly between 0 and 1
    counts as that fraction of a success. What is sure adds little to A_k, by the factor p(1 - p): an arm that always
    won, and then loses, is given up soon.

    Its law is 0 or 1 but for ties: without exploration a log of it supports no evaluation of other policies. It
    misleads where log-odds are far from linear in the encoded context. Reference: Filippi, Cappé, Garivier and
    Szepesvári, NIPS 2010 (the bound); Chapelle and Li, NIPS 2011, algorithm 3 (the posterior).

    >>> from bandit.types import Arms
    >>> LogisticUCB(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "logistic_ucb"
    parameters = (
        Parameter("alpha", 1.0, 0.0, 1e6, "standard deviations", "width of the bound: larger explores more"),
        RIDGE,
    )

    def _fill(self, contexts: Floats, allowed: Bools, law: Floats) -> None:
        fill_by_bound(contexts, allowed, self.state["factor"], self.state["theta"], self.params["alpha"], law)


class LogisticThompson(LogisticPolicy):
    """Sends each arm the probability that its chance of a reward is the best, for rewards in [0, 1].

    The model is that of :class:`LogisticUCB`. As the chance rises with z'β_k, and the arms' posteriors are independent,
    the probability is that the score of arm k, N(z'θ_k, ``spread``²·z'A_k⁻¹z), is the largest: to within 1e-4 of that
    integral (:mod:`bandit.quick`), not by draws. ``spread`` = 1 is Thompson's rule for the approximate posterior; less
    explores less.

    It misleads where log-odds are far from linear in the encoded context. Reference: Chapelle and Li, NIPS 2011,
    algorithm 3.

    >>> from bandit.types import Arms
    >>> LogisticThompson(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "logistic_thompson"
    parameters = (
        Parameter("spread", 0.25, 1e-6, 1e6, "standard deviations", "of the posterior, scaled: larger explores more"),
        RIDGE,
    )

    def _fill(self, contexts: Floats, allowed: Bools, law: Floats) -> None:
        fill_by_chance(contexts, allowed, self.state["factor"], self.state["theta"], self.params["spread"], law)
