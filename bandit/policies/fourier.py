"""Curved policies over a context: linear and logistic regressions on products and random Fourier features of it."""

from __future__ import annotations

from typing import Any

from bandit.bases.linear import BOUND, CHANCE, RIDGE, LinearPolicy
from bandit.bases.logistic import RIDGE as LOGISTIC_RIDGE
from bandit.bases.logistic import LogisticPolicy
from bandit.forgetting import FORGETTING
from bandit.kernels import rules
from bandit.kernels.expansion import Expansion, expansion, room_for
from bandit.kernels.jit import plain
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.types import Floats

EXPANSION = (
    Parameter(
        *("features", 0, 0, 2000, "columns", "at most so many beside the context's own; 0: what suits"),
        kind="int",
        settled=True,
    ),
    Parameter("seed", 0, 0, 2**31 - 1, "", "another one draws other Fourier features", kind="int"),
)


class Expanded(Policy):
    """Regressions on the features of ``kernels/expansion.py``: fixed when the policy is made, the same in all its kind.

    ``features`` = 0 becomes, when the policy is made, what keeps K·D² within a million and D within 300; arms that come
    later do not change it.
    """

    def _settled(self, params: dict[str, Any]) -> dict[str, Any]:
        return params | {"features": room_for(self.schema.width, len(self.arms))} if params["features"] == 0 else params

    @property
    def expansion(self) -> Expansion:
        """The map from contexts to features."""
        return expansion(self.schema.width, self.params["features"], self.params["seed"])

    @property
    def _width(self) -> int:
        return self.expansion.width

    def _features(self, contexts: Floats) -> Floats:
        return self.expansion.expand(plain(contexts))

    def _features_one(self, context: Floats) -> Floats:
        features: Floats = self._features(context[None, :])[0]
        return features


class FourierLinUCB(Expanded, LinearPolicy):
    """LinUCB on curved features: the arm whose reward could plausibly be the highest, where it is no linear function.

    The bound of arm k is z'θ_k + ``alpha``·sqrt(z'A_k⁻¹z) with z = (1, φ(x)), A_k = ``ridge``·I + Σ w z z' and
    θ_k = A_k⁻¹ Σ w r z over its rows; φ(x) are the columns of x, as many of their products as fit, and random Fourier
    features, which resemble a Gaussian kernel (:mod:`bandit.kernels.expansion`). φ is fixed from the start, so that the
    state is sums.

    It learns more slowly than LinUCB where rewards are linear after all, and misleads where numbers are not
    standardised: φ takes columns to be of size 1. Reference: Rahimi and Recht, NIPS 2007; Chowdhury and Gopalan, ICML
    2017, algorithm 1 (the bound, for the kernel itself).

    >>> from bandit.types import Arms
    >>> FourierLinUCB(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "fourier_linucb"
    parameters = (*BOUND, RIDGE, *EXPANSION, *FORGETTING)
    _rule = rules.UCB


class FourierThompson(Expanded, LinearPolicy):
    """Linear Thompson sampling on curved features: shares are the chances of being the best arm in this context.

    The coefficients of arm k on z = (1, φ(x)) have posterior N(θ_k, ``noise``²·A_k⁻¹), as for
    :class:`FourierLinUCB`; the law is P(score k is the largest), by quadrature, to a total variation of 1e-3.

    It misleads where numbers are not standardised. Reference: Rahimi and Recht, NIPS 2007; Agrawal and Goyal, ICML
    2013, algorithm 1.

    >>> from bandit.types import Arms
    >>> FourierThompson(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "fourier_thompson"
    parameters = (*CHANCE, RIDGE, *EXPANSION, *FORGETTING)
    _rule = rules.THOMPSON


class FourierLogisticUCB(Expanded, LogisticPolicy):
    """Logistic upper bounds on curved features, for rewards in [0, 1].

    The chance of a reward is p = 1/(1 + exp(-z'β_k)) with z = (1, φ(x)), φ as for :class:`FourierLinUCB`, and
    β_k ~ N(θ_k, A_k⁻¹) by Laplace's approximation renewed with every row (:mod:`bandit.kernels.laplace`); the bound is
    z'θ_k + ``alpha``·sqrt(z'A_k⁻¹z), in log-odds.

    It misleads where numbers are not standardised, and costs O(K·D²) an answer. Reference: Rahimi and Recht, NIPS
    2007; Filippi, Cappé, Garivier and Szepesvári, NIPS 2010.

    >>> from bandit.types import Arms
    >>> FourierLogisticUCB(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "fourier_logistic_ucb"
    parameters = (
        Parameter("alpha", 0.5, 0.0, 1e6, "standard deviations", "width of the bound: larger explores more"),
        LOGISTIC_RIDGE,
        *EXPANSION,
    )
    _rule = rules.UCB


class FourierLogisticThompson(Expanded, LogisticPolicy):
    """Logistic Thompson sampling on curved features, for rewards in [0, 1].

    The model is that of :class:`FourierLogisticUCB`; an arm's share is the probability that its score
    N(z'θ_k, ``spread``²·z'A_k⁻¹z) is the largest, to within 1e-4.

    It misleads where numbers are not standardised. Reference: Rahimi and Recht, NIPS 2007; Chapelle and Li, NIPS 2011,
    algorithm 3.

    >>> from bandit.types import Arms
    >>> FourierLogisticThompson(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "fourier_logistic_thompson"
    parameters = (
        Parameter("spread", 0.25, 1e-6, 1e6, "standard deviations", "of the posterior, scaled: larger explores more"),
        LOGISTIC_RIDGE,
        *EXPANSION,
    )
    _rule = rules.THOMPSON
