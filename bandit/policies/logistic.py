"""Logistic policies over a context, one regression an arm: upper bounds and Thompson sampling, learned row by row."""

from __future__ import annotations

from bandit.bases.logistic import RIDGE, LogisticPolicy
from bandit.kernels import rules
from bandit.parameters import Parameter


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

    _rule = rules.UCB


class LogisticThompson(LogisticPolicy):
    """Sends each arm the probability that its chance of a reward is the best, for rewards in [0, 1].

    The model is that of :class:`LogisticUCB`. As the chance rises with z'β_k, and the arms' posteriors are independent,
    the probability is that the score of arm k, N(z'θ_k, ``spread``²·z'A_k⁻¹z), is the largest: to within 1e-4 of that
    integral (:mod:`bandit.chance.quick`), not by draws. ``spread`` = 1 is Thompson's rule for the approximate
    posterior; less explores less.

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

    _rule = rules.THOMPSON
