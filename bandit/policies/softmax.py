"""Boltzmann exploration without context: the better the mean, the larger the share."""

from __future__ import annotations

import math

import numpy as np

from bandit.bases.moments import add_rows, pooled, shrunk_means
from bandit.forgetting import FORGETTING
from bandit.parameters import Parameter
from bandit.policy import ContextFree
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats


class Softmax(ContextFree):
    """Sends arms shares that grow exponentially with their mean reward.

    With m_k the mean of arm k, ``prior_weight`` rows of the common mean added, σ the standard deviation of all rows
    and N = Σ_k n_k the weight of all decisions learned,

        p_k ∝ exp(m_k / (τ_N·σ)),        τ_N = ``temperature`` / sqrt(1 + N/``cooling``),

    and τ_N = ``temperature`` where ``cooling`` is 0. Measured in σ, it depends on neither unit nor zero of the reward.
    With cooling τ_N shrinks as the standard error of a mean does, so shares stay in step with what is known.

    It misleads where little is known of an arm: a mean of ten visitors counts as much as one of a million. Without
    cooling it never stops sending visitors to worse arms; with it, it can settle on a wrong one. Reference: Sutton and
    Barto, Reinforcement Learning (2nd ed.), section 2.8; Cesa-Bianchi et al., NIPS 2017, on both failures.

    >>> from bandit.types import Arms
    >>> Softmax(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "softmax"
    parameters = (
        Parameter(
            "temperature", 0.1, 1e-6, 1e6, "standard deviations", "how much worse a variant with 1/e the share is"
        ),
        Parameter("cooling", 1000.0, 0.0, 1e12, "visitors", "half is left after three times so many; 0: all"),
        Parameter("prior_weight", 1.0, 0.01, 1e6, "visitors", "how many visitors the common mean counts for"),
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        return {name: np.zeros(len(self.arms)) for name in ("n", "total", "squares")}

    def temperature(self) -> float:
        """Return τ_N·σ, in the reward's unit."""
        learned, cooling = max(float(self.state["n"].sum()), 0.0), self.params["cooling"]
        tau: float = self.params["temperature"]
        if cooling > 0:
            tau /= math.sqrt(1 + learned / cooling)
        return tau * math.sqrt(pooled(self.state)[1])

    def _weigh(self, arms: Bools) -> Floats:
        means = shrunk_means(self.state, self.params["prior_weight"])[arms]
        weights = np.exp((means - means.max()) / self.temperature())
        return np.asarray(weights / weights.sum())

    def _absorb(self, batch: Batch) -> None:
        add_rows(self.state, batch)
        self._derive()
