"""Linear policies over a context, one ridge regression an arm: what they learn is the same, how they choose differs."""

from __future__ import annotations

from bandit.bases.linear import BOUND, CHANCE, GAPS, GREEDY, RIDGE, LinearPolicy
from bandit.forgetting import FORGETTING
from bandit.kernels import rules


class LinUCB(LinearPolicy):
    """Chooses the arm whose reward could plausibly be the highest; arms that tie share evenly.

    The bound of arm k is z'θ_k + ``alpha``·sqrt(z'A_k⁻¹z) with z = (1, x), A_k = ``ridge``·I + Σ w z z' and
    θ_k = A_k⁻¹ Σ w r z over its rows. Its law is 0 or 1 but for ties: without exploration a log of it supports no
    evaluation of other policies.

    It misleads where rewards are far from linear in the encoded context, and where they come late: until they come,
    every visitor of a kind gets the same arm. Reference: Li, Chu, Langford and Schapire, WWW 2010, algorithm 1.

    >>> from bandit.types import Arms
    >>> LinUCB(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "linucb"
    parameters = (*BOUND, RIDGE, *FORGETTING)
    _rule = rules.UCB


class LinearThompson(LinearPolicy):
    """Sends each arm the probability that its expected reward in this context is the highest.

    The coefficients of arm k have posterior N(θ_k, ``noise``²·A_k⁻¹) with A_k = ``ridge``·I + Σ w z z', z = (1, x)
    and θ_k = A_k⁻¹ Σ w r z over its rows, so that its score in a context is N(z'θ_k, ``noise``²·z'A_k⁻¹z),
    independently of the other arms. The law is P(score k is the largest), by quadrature in score space: the same law
    as drawing all coefficients and taking the best arm, to a total variation of 1e-3.

    It misleads where rewards are far from linear in the encoded context. Reference: Agrawal and Goyal, ICML 2013,
    algorithm 1, with one parameter vector an arm.

    >>> from bandit.types import Arms
    >>> LinearThompson(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "linear_thompson"
    parameters = (*CHANCE, RIDGE, *FORGETTING)
    _rule = rules.THOMPSON


class LinearEpsilonGreedy(LinearPolicy):
    """Shows the arm with the highest estimate, but gives all arms an even share now and then.

    With θ_k the ridge estimate of arm k and z = (1, x) the law is (1 - ε)·[k has the largest z'θ_k] + ε/K, with
    ε = ``epsilon``/(1 + n/``halving``) after n rows, or ``epsilon`` for ever where ``halving`` is 0; arms that tie
    share evenly.

    It misleads by exploring blindly: an arm that is certainly bad gets as much as one that is unknown, and with a fixed
    ``epsilon`` it does so for ever. Reference: Langford and Zhang, NIPS 2007; ε falls as 1/n as in Auer, Cesa-Bianchi
    and Fischer, Machine Learning 2002, section 3.

    >>> from bandit.types import Arms
    >>> LinearEpsilonGreedy(arms=Arms(("a", "b"))).distribution().tolist()
    [[0.5, 0.5]]
    """

    name = "linear_epsilon_greedy"
    parameters = (*GREEDY, RIDGE, *FORGETTING)
    _rule = rules.EPSILON


class LinearSquareCB(LinearPolicy):
    """Shows an arm the less often, the further its estimate is below the best one: inverse gap weighting.

    With θ_k the ridge estimate of arm k, z = (1, x) and f_k = z'θ_k, every arm but the best gets
    1 / (K + γ·(max f - f_k)), and the best gets the rest; γ = ``scale``·√n after n rows.

    It misleads where the reward's unit is forgotten: ``scale`` is per unit of reward, right for rewards in [0, 1].
    Reference: Foster and Rakhlin, ICML 2020, algorithm 1 (there γ = √(K n / Reg)).

    >>> from bandit.types import Arms
    >>> LinearSquareCB(arms=Arms(("a", "b"))).distribution().tolist()
    [[0.5, 0.5]]
    """

    name = "linear_squarecb"
    parameters = (*GAPS, RIDGE, *FORGETTING)
    _rule = rules.GAP
