"""EXP3-IX: shares from importance-weighted losses, for rewards that somebody may choose against us."""

from __future__ import annotations

import math

import numpy as np

from bandit.bases.rewards import RANGE, require_range, span
from bandit.forgetting import FORGETTING
from bandit.parameters import Parameter
from bandit.policy import ContextFree
from bandit.serialization import Arrays
from bandit.types import Arms, Batch, Bools, Floats

_BUCKETS = 32
"""Of logged probabilities, each half as large as the one before; the last one holds all below 2^-30."""


class Exp3IX(ContextFree):
    """Sends shares that fall exponentially with estimated total loss, whatever law the rewards follow.

    The loss of a row is ℓ = (``high`` - r)/(``high`` - ``low``), and p the *logged* probability of its arm: this
    family learns from how often an arm was shown, not only from what it earned, so a log of any policy will do. With
    N = Σ w over all rows and K arms,

        L_k = Σ w·ℓ/(p + γ),    η = ``rate``·sqrt(2·ln K / (K·N)),    γ = η/2,    p_k ∝ exp(-η·L_k).

    η and γ are those of the horizon N, whatever N is by now, so nobody has to know how long it runs; and the state is
    sums. For that rows are kept by p, in 32 buckets a factor of two apart: Σ w·ℓ and Σ w·ℓ/p of each give its share of
    L_k exactly where the bucket's p are alike, and to 1% of it otherwise. An arm that is added starts level with the
    leader, since losses only grow.

    It misleads nobody, but learns slowly: where rewards follow a law, Thompson sampling earns much more. Reference:
    Neu, NIPS 2015, algorithm 1 and theorem 1; Kocák et al., NIPS 2014.

    >>> from bandit.types import Arms
    >>> Exp3IX(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "exp3_ix"
    parameters = (
        Parameter("rate", 1.0, 1e-3, 1e3, "", "how fast it learns, as a multiple of what the theory asks for"),
        *RANGE,
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        span(self.params)
        arms = len(self.arms)
        return {"n": np.zeros(arms), "loss": np.zeros((arms, _BUCKETS)), "weighed": np.zeros((arms, _BUCKETS))}

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse rewards outside the declared range."""
        require_range(rewards, self.params, self.name)

    def learning_rate(self) -> float:
        """Return η after all that was learned."""
        arms = len(self.arms)
        learned = max(float(self.state["n"].sum()), 1.0)
        return float(self.params["rate"]) * math.sqrt(2 * math.log(arms) / (arms * learned))

    def losses(self) -> Floats:
        """Return (K,) L, the estimated total losses."""
        plain, weighed = self.state["loss"], self.state["weighed"]
        # Σ w·ℓ/(p + γ) at the bucket's mean p̄ = Σ w·ℓ / Σ w·ℓ/p, written without dividing by what may be 0.
        below = plain + 0.5 * self.learning_rate() * weighed
        return np.asarray((plain * np.divide(weighed, below, out=np.zeros_like(below), where=below > 0)).sum(axis=1))

    def _weigh(self, arms: Bools) -> Floats:
        losses = self.losses()[arms]
        weights = np.exp(self.learning_rate() * (losses.min() - losses))
        return np.asarray(weights / weights.sum())

    def _absorb(self, batch: Batch) -> None:
        propensities = batch.propensities
        bucket = np.minimum(-np.frexp(propensities)[1] + 1, _BUCKETS - 1).clip(0)
        loss = batch.weights * (self.params["high"] - batch.rewards) / span(self.params)
        np.add.at(self.state["n"], batch.arms, batch.weights)
        np.add.at(self.state["loss"], (batch.arms, bucket), loss)
        np.add.at(self.state["weighed"], (batch.arms, bucket), loss / propensities)
        self._derive()

    def with_arms(self, arms: Arms) -> Exp3IX:
        """Return the same sums over another set of arms; added ones start with the losses of the leader among them."""
        policy = super().with_arms(arms)
        before = set(self.arms.keys)
        kept = np.array([key in before for key in arms.keys])
        if kept.any():
            leader = np.flatnonzero(kept)[policy.losses()[kept].argmin()]
            for name in ("loss", "weighed"):
                policy.state[name][~kept] = policy.state[name][leader]
            policy._derive()
        return policy
