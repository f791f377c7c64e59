"""Upper confidence bounds without context: UCB1 and KL-UCB."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from bandit.bases.moments import TRIED, add_rows, share_ties
from bandit.bases.rewards import RANGE, require_range, span
from bandit.forgetting import FORGETTING
from bandit.kernels.jit import kernel
from bandit.parameters import Parameter
from bandit.policy import ContextFree
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats


class _Bounds(ContextFree):
    """Chooses the highest bound; bounds that tie exactly share evenly, as all arms do that were never tried."""

    def _cold(self) -> Arrays:
        return {"n": np.zeros(len(self.arms)), "total": np.zeros(len(self.arms))}

    def _weigh(self, arms: Bools) -> Floats:
        return share_ties(self.bounds()[arms])

    @abstractmethod
    def bounds(self) -> Floats:
        """Return (K,) upper confidence bounds in the reward's unit, infinite where nothing is known."""

    def _absorb(self, batch: Batch) -> None:
        add_rows(self.state, batch)
        self._derive()


class UCB1(_Bounds):
    """Chooses the arm whose mean could plausibly be the highest, for rewards that vary by no more than ``span``.

    The bound of arm k is S_k/n_k + ``span``·sqrt(``alpha``·ln N / n_k), with n_k = Σ w and S_k = Σ w·r over its rows
    and N = Σ_k n_k. Its law is 0 or 1 but for ties: without exploration a log of it supports no evaluation of other
    policies.

    It misleads where rewards come late: until they come, every visitor gets the same arm. For conversions of a few
    percent its bound is far too wide, and KL-UCB or Thompson sampling learn faster. Reference: Auer, Cesa-Bianchi and
    Fischer, Machine Learning 47 (2002), figure 1, where ``alpha`` is 2.

    >>> from bandit.types import Arms
    >>> UCB1(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "ucb1"
    parameters = (
        Parameter("alpha", 2.0, 0.0, 1e6, "", "width of the bound: larger explores more"),
        Parameter("span", 1.0, 1e-12, 1e12, "reward", "largest reward less the smallest"),
        *FORGETTING,
    )

    def bounds(self) -> Floats:
        """Return (K,) upper confidence bounds in the reward's unit, infinite where nothing is known."""
        n, total = self.state["n"], self.state["total"]
        bounds = np.full(len(n), math.inf)
        known = n > TRIED
        log = math.log(max(float(n.sum()), 1.0))
        width = self.params["span"] * np.sqrt(self.params["alpha"] * log / n[known])
        bounds[known] = total[known] / n[known] + width
        return bounds


class KLUCB(_Bounds):
    """Chooses the arm whose mean could plausibly be the highest, for rewards between ``low`` and ``high``.

    With rewards brought to [0, 1], μ_k = S_k/n_k and N = Σ_k n_k, the bound of arm k is the largest q for which

        n_k·kl(μ_k, q) ≤ ln N + ``c``·ln ln N,        kl(p, q) = p·ln(p/q) + (1 - p)·ln((1 - p)/(1 - q)),

    brought back: for conversions the narrowest bound that there can be, and much narrower than UCB1's where rates are
    small. Its law is 0 or 1 but for ties: without exploration a log of it supports no evaluation of other policies.

    It misleads where rewards come late: until they come, every visitor gets the same arm. For rewards strictly between
    the ends it holds, but is wide. Reference: Garivier and Cappé, COLT 2011, algorithm 1 (``c`` is 3 in the proof and
    0 in their experiments).

    >>> from bandit.types import Arms
    >>> KLUCB(arms=Arms(("a", "b", "c", "d"))).distribution().tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "kl_ucb"
    parameters = (
        Parameter("c", 0.0, 0.0, 100.0, "", "how much more it explores than the logarithm of the decisions asks for"),
        *RANGE,
        *FORGETTING,
    )

    def bounds(self) -> Floats:
        """Return (K,) upper confidence bounds in the reward's unit, infinite where nothing is known."""
        log = math.log(max(float(self.state["n"].sum()), 1.0))
        threshold = log + self.params["c"] * math.log(max(log, 1.0))
        bounds = np.empty(len(self.arms))
        low, width = self.params["low"], span(self.params)
        _bounds(self.state["n"], (self.state["total"] - low * self.state["n"]) / width, threshold, bounds)
        return np.asarray(low + width * bounds)

    def _cold(self) -> Arrays:
        span(self.params)
        return super()._cold()

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse rewards outside the declared range."""
        require_range(rewards, self.params, self.name)


@kernel
def _bounds(n: Floats, total: Floats, threshold: float, bounds: Floats) -> None:
    for k in range(len(n)):
        if n[k] <= TRIED:
            bounds[k] = math.inf
            continue
        mean = min(max(total[k] / n[k], 0.0), 1.0)
        low, high = mean, 1.0
        # 52 halvings leave nothing between two neighbouring numbers.
        for _ in range(52):
            middle = 0.5 * (low + high)
            if n[k] * _divergence(mean, middle) <= threshold:
                low = middle
            else:
                high = middle
        bounds[k] = low


@kernel
def _divergence(p: float, q: float) -> float:
    """Return kl(p, q) of two Bernoulli laws, p ≤ q."""
    result = 0.0
    if p > 0:
        result += p * math.log(p / q)
    if p < 1:
        if q >= 1:
            return math.inf
        result += (1 - p) * math.log((1 - p) / (1 - q))
    return result
