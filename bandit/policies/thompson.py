"""Thompson sampling without context: binary and numeric rewards."""

from __future__ import annotations

import numpy as np

from bandit.forgetting import FORGETTING
from bandit.parameters import Parameter
from bandit.policy import ContextFree
from bandit.quadrature import prob_best_beta, prob_best_student
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats
from bandit.validation import require


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
    parameters = (
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

    def _check_rewards(self, rewards: Floats) -> None:
        good = bool(((rewards >= 0) & (rewards <= 1)).all())
        require(good, f"rewards of {self.name} must lie in [0, 1], found {_span(rewards)}; use thompson_normal")

    def _absorb(self, batch: Batch) -> None:
        np.add.at(self.state["n"], batch.arms, batch.weights)
        np.add.at(self.state["total"], batch.arms, batch.weights * batch.rewards)
        self._derive()


class ThompsonNormal(ContextFree):
    """Sends each arm the probability that its mean is the best, for rewards of any size: revenue, scores.

    Rewards of arm k are N(μ_k, σ_k²), both unknown, with the conjugate normal-inverse-gamma prior: mean m₀ worth κ₀ =
    ``prior_weight`` rows, variance s₀² worth ν₀ = ``prior_degrees`` rows. With n rows, y = r - m₀, S = Σ w·y and
    Q = Σ w·y², the posterior of μ_k is Student's t with

        ν = ν₀ + n degrees of freedom, mean m₀ + S/(κ₀ + n), scale² = (ν₀·s₀² + Q - S²/(κ₀ + n)) / (ν·(κ₀ + n)),

    and the arm's probability is that of being the best under these, by quadrature to 1e-9. m₀ and s₀² are the mean and
    variance of all rows of all arms, so the unit of the reward does not matter.

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
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        return {name: np.zeros(len(self.arms)) for name in ("n", "total", "squares")}

    def posterior(self) -> tuple[Floats, Floats, Floats]:
        """Return (K,) means, (K,) scales and (K,) degrees of freedom of the arms' Student-t posteriors."""
        n, total, squares = (self.state[name] for name in ("n", "total", "squares"))
        mean, variance = _pooled(n.sum(), total.sum(), squares.sum())
        weight, degrees = self.params["prior_weight"] + n, self.params["prior_degrees"] + n
        shifted = total - n * mean
        about = squares - 2 * mean * total + n * mean**2
        spread = np.maximum(about - shifted**2 / weight, 0.0) + self.params["prior_degrees"] * variance
        return mean + shifted / weight, np.sqrt(spread / (degrees * weight)), degrees

    def _weigh(self, arms: Bools) -> Floats:
        mean, scale, degrees = self.posterior()
        return prob_best_student(mean[arms], scale[arms], degrees[arms])

    def _absorb(self, batch: Batch) -> None:
        weighted = batch.weights * batch.rewards
        np.add.at(self.state["n"], batch.arms, batch.weights)
        np.add.at(self.state["total"], batch.arms, weighted)
        np.add.at(self.state["squares"], batch.arms, weighted * batch.rewards)
        self._derive()


def _pooled(n: float, total: float, squares: float) -> tuple[float, float]:
    """Return mean and variance of all rows; variance 1 where nothing is known of it, as all rewards are alike."""
    if n == 0:
        return 0.0, 1.0
    mean = total / n
    variance = squares / n - mean**2
    # Below this the difference is rounding: the rewards are equal as far as their squares can tell.
    return mean, variance if variance > 1e-12 * mean**2 else max(mean**2, 1.0)


def _span(values: Floats) -> str:
    return f"{values.min():g}..{values.max():g}"
