"""Logistic policies that share what variants have in common: a new variant starts warm, from its attributes."""

from __future__ import annotations

import numpy as np

from bandit.bases.logistic import RIDGE, LogisticPolicy
from bandit.chance.normals import normals_for
from bandit.kernels import rules
from bandit.kernels.jit import plain
from bandit.kernels.laplace import prior
from bandit.kernels.mean_field import add_rows, answers
from bandit.parameters import Parameter
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats

SHARED = Parameter(
    "shared_ridge", 1.0, 1e-6, 1e6, "1/log-odds²", "pulls shared coefficients to zero: smaller shares more"
)


class HybridLogisticPolicy(LogisticPolicy):
    """Logistic regression on what an arm's attributes predict and on what is its own (``kernels/mean_field.py``).

    Without attributes what is shared is what arms have in common on average. What removed arms have told of the shared
    part stays. An arm whose attributes were changed is judged by the new ones from then on.
    """

    def _cold(self, arms: int | None = None) -> Arrays:
        size = (self.schema.width + 1) * (self.schema.arm_width + 1)
        shared = {"shared_factor": prior(size, self.params["shared_ridge"]), "shared_theta": np.zeros(size)}
        return super()._cold(arms) | shared

    def _derive(self) -> None:
        super()._derive()
        self._attributes = np.ones((len(self.arms), self.schema.arm_width + 1))
        self._attributes[:, 1:] = self.schema.encode_arms(self.arms.attributes)
        self._points = normals_for(len(self.arms)) if self._rule == rules.THOMPSON else (_NO_POINTS, _NO_POINTS)
        self._own = (self.state["factor"], self.state["theta"])
        self._shared = (self.state["shared_factor"], self.state["shared_theta"])

    def _absorb(self, batch: Batch) -> None:
        arms, rewards, weights = plain(batch.arms, np.int64), plain(batch.rewards), plain(batch.weights)
        add_rows(plain(batch.contexts), arms, rewards, weights, self._attributes, self._own, self._shared)

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        laws = np.empty((len(contexts), len(self.arms)))
        mask = self._everything[None, :] if allowed is None else plain(allowed, np.bool_)
        how = (self._rule, self._strength())
        answers(how, plain(contexts), self._attributes, self._own, self._shared, self._points, mask, laws)
        return laws

    def _law_one(self, context: Floats, allowed: Bools | None) -> Floats:
        law: Floats = self._law(context[None, :], None if allowed is None else allowed[None, :])[0]
        return law

    @property
    def playable(self) -> bool:
        """Whether :meth:`play` is there: never."""
        return False


class HybridLogisticUCB(HybridLogisticPolicy):
    """Chooses the arm whose chance of a reward could plausibly be the highest, sharing what arms have in common.

    The log-odds of arm k are (ã_k ⊗ x̃)'β + x̃'θ_k with x̃ = (1, x) and ã_k = (1, a_k), a_k its encoded attributes: β,
    of prior precision ``shared_ridge``, is shared by all arms, θ_k, of prior precision ``ridge``, is the arm's own. The
    bound is the mean of the log-odds + ``alpha`` standard deviations. A new arm is judged by β until it has rows.

    It misleads where attributes say little and rows are few: then β learns the accidents of the first arms; and its
    bounds are wider than need be, see :mod:`bandit.kernels.mean_field`. Reference: Li, Chu, Langford and Schapire, WWW
    2010, algorithm 2 (for linear rewards); Filippi, Cappé, Garivier and Szepesvári, NIPS 2010.

    >>> from bandit.types import Arms
    >>> HybridLogisticUCB(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "hybrid_logistic_ucb"
    parameters = (
        Parameter("alpha", 0.5, 0.0, 1e6, "standard deviations", "width of the bound: larger explores more"),
        RIDGE,
        SHARED,
    )
    _rule = rules.UCB


class HybridLogisticThompson(HybridLogisticPolicy):
    """Sends each arm the probability that its chance of a reward is the best, sharing what arms have in common.

    The model is that of :class:`HybridLogisticUCB`. Scores of different arms are correlated through β; the probability
    is taken over fixed quasi-random normals (:mod:`bandit.chance.normals`), to a total variation of .003 on average.
    ``spread`` scales the deviations: less explores less.

    It misleads where attributes say little and rows are few. Reference: Li, Chu, Langford and Schapire, WWW 2010
    (the features); Chapelle and Li, NIPS 2011, algorithm 3.

    >>> from bandit.types import Arms
    >>> HybridLogisticThompson(arms=Arms(("a", "b"))).distribution().round(3).tolist()
    [[0.5, 0.5]]
    """

    name = "hybrid_logistic_thompson"
    parameters = (
        Parameter("spread", 0.25, 1e-6, 1e6, "standard deviations", "of the posterior, scaled: larger explores more"),
        RIDGE,
        SHARED,
    )
    _rule = rules.THOMPSON


_NO_POINTS = np.zeros((1, 1, 1))
