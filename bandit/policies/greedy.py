"""Epsilon-greedy without context: the best mean so far, and everything else now and then."""

from __future__ import annotations

import numpy as np

from bandit.bases.moments import add_rows, share_ties, shrunk_means
from bandit.forgetting import FORGETTING
from bandit.parameters import Parameter
from bandit.policy import ContextFree
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats


class EpsilonGreedy(ContextFree):
    """Sends a fixed or slowly shrinking share everywhere, and the rest to the best mean so far.

    With N = Σ_k n_k the weight of all decisions learned and K' arms allowed,

        p_k = ε_N/K' + (1 - ε_N)·1{k is best}/(number of best),        ε_N = ``epsilon`` / (1 + N/``decay``),

    and ε_N = ``epsilon`` where ``decay`` is 0. Best is the highest (S_k + κ·m)/(n_k + κ), with n_k = Σ w, S_k = Σ w·r
    over the rows of arm k, m the mean of all rows and κ = ``prior_weight``: an arm that was never tried has the
    common mean, so a new one gets its share of ε and not everything. Unit and zero of the reward do not matter.

    It misleads where arms are close: the losers get as much as the runner-up. Without decay it never stops paying;
    with a quick decay it can settle on a wrong arm. Reference: Auer, Cesa-Bianchi and Fischer, Machine Learning 47
    (2002), figure 3: there ε_N = min(1, cK/(d²N)), which this is for N much above ``decay``.

    >>> from bandit.types import Arms
    >>> policy = EpsilonGreedy(arms=Arms(("a", "b")), epsilon=0.2)
    >>> seen = Batch(np.zeros((2, 0)), np.array([0, 1]), np.array([0.0, 1.0]), np.full((2, 2), 0.5), *np.ones((2, 2)))
    >>> policy.learn(seen)
    >>> policy.distribution().tolist()
    [[0.1, 0.9]]
    """

    name = "epsilon_greedy"
    parameters = (
        Parameter("epsilon", 0.1, 0.0, 1.0, "share", "share of the traffic that is spread evenly over the variants"),
        Parameter("decay", 0.0, 0.0, 1e12, "visitors", "after so many, half of that share is left; 0: it stays"),
        Parameter("prior_weight", 1.0, 0.01, 1e6, "visitors", "how many visitors the common mean counts for"),
        *FORGETTING,
    )

    def _cold(self) -> Arrays:
        return {"n": np.zeros(len(self.arms)), "total": np.zeros(len(self.arms))}

    def epsilon(self) -> float:
        """Return the share that is spread evenly, after all that was learned."""
        learned, decay = max(float(self.state["n"].sum()), 0.0), self.params["decay"]
        share: float = self.params["epsilon"]
        return share / (1 + learned / decay) if decay > 0 else share

    def _weigh(self, arms: Bools) -> Floats:
        best = share_ties(shrunk_means(self.state, self.params["prior_weight"])[arms])
        epsilon = self.epsilon()
        return epsilon / len(best) + (1 - epsilon) * best

    def _absorb(self, batch: Batch) -> None:
        add_rows(self.state, batch)
        self._derive()
