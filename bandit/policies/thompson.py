"""Thompson sampling without context: binary rewards, numeric ones and counts; and its top-two form."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bandit.bases.moments import add_rows, pooled
from bandit.chance.quadrature import prob_best_beta, prob_best_gamma, prob_best_student
from bandit.forgetting import FORGETTING
from bandit.parameters import Parameter
from bandit.policy import ContextFree
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats
from bandit.validation import require

_TIE = 1e-12
"""Masses below are rounding: between rivals that have less, something better known decides."""
_LITTLE = 1e-2
"""Where rivals have more than this in all, what decides between less is below 1e-10, and is left out."""


class Thompson(ContextFree):
    """Sends each arm the probability that it is the best, for rewards in [0, 1]: a conversion is 0 or 1.

    Arm k has rate θ_k ~ Beta(a_k, b_k) with a_k = ``prior_successes`` + Σ w·r and b_k = ``prior_failures`` +
    Σ w·(1 - r) over its rows of reward r and weight w. Its probability is

        P(θ_k > θ_j for all j ≠ k) = ∫ f_k(t) Π_{j≠k} F_j(t) dt,

    by quadrature to 1e-9. Drawing the arm from it is drawing every θ and taking the best: the same law, whose
    propensity is known exactly. A reward strictly between 0 and 1 counts as that fraction of a success.

    It misleads where rates drift and no half-life is set. Reference: Thompson, Biometrika 25 (1933); Chapelle
    and Li, NIPS 2011, algorithm 2.

    >>> from bandit.types import Arms
    >>> Thompson(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "thompson"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("prior_successes", 1.0, 0.1, 1e6, "visitors", "conversions that each variant is credited with"),
        Parameter("prior_failures", 1.0, 0.1, 1e6, "visitors", "visits without conversion that each is credited with"),
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        return {"n": np.zeros(len(self.arms)), "total": np.zeros(len(self.arms))}

    def posterior(self) -> tuple[Floats, Floats]:
        """Return (K,) a and (K,) b of the arms' Beta posteriors."""
        failures = np.maximum(self.state["n"] - self.state["total"], 0.0)
        return self.params["prior_successes"] + self.state["total"], self.params["prior_failures"] + failures

    def _weigh(self, arms: Bools) -> Floats:
        a, b = self.posterior()
        return prob_best_beta(a[arms], b[arms])

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse what is no share: rewards lie in [0, 1]."""
        good = bool(((rewards >= 0) & (rewards <= 1)).all())
        require(good, f"rewards of {self.name} must lie in [0, 1], found {_span(rewards)}; use thompson_normal")

    def _absorb(self, batch: Batch) -> None:
        add_rows(self.state, batch)
        self._derive()


class ThompsonNormal(ContextFree):
    """Sends each arm the probability that its mean is the best, for rewards of any size: revenue, scores.

    Rewards of arm k are N(μ_k, σ_k²), both unknown, with the conjugate normal-inverse-gamma prior: mean m₀ worth κ₀ =
    ``prior_weight`` rows, variance s₀² worth ν₀ = ``prior_degrees`` rows. With n rows, y = r - m₀, S = Σ w·y and
    Q = Σ w·y², the posterior of μ_k is Student's t with

        ν = ν₀ + n degrees of freedom, mean m₀ + S/(κ₀ + n), scale² = (ν₀·s₀² + Q - S²/(κ₀ + n)) / (ν·(κ₀ + n)),

    and the arm's probability is that of being the best under these, by quadrature to 1e-9. m₀ and s₀² are
    ``prior_mean`` and ``prior_variance``; where the latter is 0 both are those of all rows of all arms, and then
    neither unit nor zero of the reward matter.

    It misleads where a few rewards carry all the weight: cap the metric. Reference: Gelman et al., Bayesian Data
    Analysis (3rd ed.), section 3.3; Honda and Takemura, AISTATS 2014.

    >>> from bandit.types import Arms
    >>> ThompsonNormal(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "thompson_normal"
    parameters = (
        Parameter("prior_weight", 1.0, 0.01, 1e6, "visitors", "how many visitors the common mean counts for"),
        Parameter("prior_degrees", 2.0, 1.0, 1e6, "visitors", "how many visitors the common variance counts for"),
        Parameter("prior_mean", 0.0, -1e12, 1e12, "reward", "mean reward expected beforehand, if a variance is given"),
        Parameter("prior_variance", 0.0, 0.0, 1e15, "reward²", "variance expected beforehand; 0: as all visitors have"),
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        return {name: np.zeros(len(self.arms)) for name in ("n", "total", "squares")}

    def prior(self) -> tuple[float, float]:
        """Return m₀ and s₀²: as told, else mean and variance of all rows of all arms."""
        if self.params["prior_variance"] > 0:
            return self.params["prior_mean"], self.params["prior_variance"]
        return pooled(self.state)

    def posterior(self) -> tuple[Floats, Floats, Floats]:
        """Return (K,) means, (K,) scales and (K,) degrees of freedom of the arms' Student-t posteriors."""
        n, total, squares = (self.state[name] for name in ("n", "total", "squares"))
        mean, variance = self.prior()
        weight, degrees = self.params["prior_weight"] + n, self.params["prior_degrees"] + n
        shifted = total - n * mean
        about = squares - 2 * mean * total + n * mean**2
        spread = np.maximum(about - shifted**2 / weight, 0.0) + self.params["prior_degrees"] * variance
        return mean + shifted / weight, np.sqrt(spread / (degrees * weight)), degrees

    def _weigh(self, arms: Bools) -> Floats:
        mean, scale, degrees = self.posterior()
        return prob_best_student(mean[arms], scale[arms], degrees[arms])

    def _absorb(self, batch: Batch) -> None:
        add_rows(self.state, batch)
        self._derive()


class ThompsonCount(ContextFree):
    """Sends each arm the probability that its rate is the best, for counts: clicks, pages, items a visitor.

    Counts of arm k are Poisson with rate λ_k ~ Gamma(a_k, b_k), a_k = ``prior_events`` + Σ w·r events over
    b_k = ``prior_visitors`` + Σ w visitors, of mean a_k/b_k. Its probability is that of P(λ_k > λ_j for all j ≠ k), by
    quadrature to 1e-9. A count need not be whole.

    It misleads where counts vary more than a Poisson law does (variance above the mean, as where few visitors bring
    most of the events): it is then too sure too soon, and thompson_normal is not. Reference: Gelman et al., Bayesian
    Data Analysis (3rd ed.), section 2.6; Thompson, Biometrika 25 (1933).

    >>> from bandit.types import Arms
    >>> ThompsonCount(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "thompson_count"
    parameters = (
        Parameter("prior_events", 1.0, 0.1, 1e6, "events", "events that each variant is credited with"),
        Parameter("prior_visitors", 1.0, 1e-6, 1e6, "visitors", "visitors in whom they were seen"),
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        return {"n": np.zeros(len(self.arms)), "total": np.zeros(len(self.arms))}

    def posterior(self) -> tuple[Floats, Floats]:
        """Return (K,) shapes and (K,) rates of the arms' Gamma posteriors."""
        events, visitors = np.maximum(self.state["total"], 0.0), np.maximum(self.state["n"], 0.0)
        return self.params["prior_events"] + events, self.params["prior_visitors"] + visitors

    def _weigh(self, arms: Bools) -> Floats:
        shape, rate = self.posterior()
        return prob_best_gamma(shape[arms], rate[arms])

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse what is no count: rewards are not negative."""
        good = bool((rewards >= 0).all())
        require(good, f"rewards of {self.name} must not be negative, found {_span(rewards)}; use thompson_normal")

    def _absorb(self, batch: Batch) -> None:
        add_rows(self.state, batch)
        self._derive()


class TopTwoThompson(Thompson):
    """Sends a share to the best and the rest to its rivals, for rewards in [0, 1]: to find the best arm soonest.

    With α_k the probability that arm k is the best, as in :class:`Thompson`, a draw of it is played with probability
    β = ``top_share``; else draws are repeated until another arm comes out, and that one is played:

        p_k = α_k·(β + (1 - β)·Σ_{i≠k} α_i / (1 - α_i)).

    Where the best is known for certain, 1 - α_i is lost in rounding; so the second arm's law is
    (α_k + τ·λ_k)/(1 - α_i + τ) with τ = 1e-12, λ_k the probability that k is the best of all arms but i.

    It misleads who wants to earn: with β = 1/2 the rivals get half of the traffic for ever. What it is for is proof:
    it puts visitors where they tell the best from the next best. Reference: Russo, Operations Research 68 (2020),
    section 3.3 and appendix; P(best) in closed form there as here.

    >>> from bandit.types import Arms
    >>> TopTwoThompson(arms=Arms(("a", "b", "c", "d"))).distribution().round(12).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "top_two_thompson"
    parameters = (
        Parameter("top_share", 0.5, 0.0, 1.0, "share", "share of the traffic for the best; its rivals get the rest"),
        *Thompson.parameters,
    )

    def _weigh(self, arms: Bools) -> Floats:
        a, b = (values[arms] for values in self.posterior())
        best = prob_best_beta(a, b)
        if len(best) == 1:
            return best
        leader = int(best.argmax())
        rivals = np.arange(len(best)) != leader
        ratio = np.zeros(len(best))
        ratio[rivals] = best[rivals] / (1 - best[rivals])
        # Summed without the leader, what is left beside it keeps its digits.
        left = best[rivals].sum()
        after_leader = best * rivals
        if left < _LITTLE:
            after_leader[rivals] += _TIE * prob_best_beta(a[rivals], b[rivals])
        after_leader /= after_leader.sum()
        second = best * (ratio.sum() - ratio) + best[leader] * after_leader
        share = self.params["top_share"]
        law = share * best + (1 - share) * second
        return np.asarray(law / law.sum())


def _span(values: Floats) -> str:
    return f"{values.min():g}..{values.max():g}"
