"""Linear policies over a context, one ridge regression an arm: LinUCB and linear Thompson sampling."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from bandit.forgetting import FORGETTING
from bandit.jit import kernel
from bandit.parameters import Parameter
from bandit.policy import SumPolicy
from bandit.quick import prob_best_quickly
from bandit.ridge import add_rows, factorise
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats
from bandit.validation import require

RIDGE = Parameter("ridge", 1.0, 1e-6, 1e6, "visitors", "pulls coefficients to zero, as so many visitors without reward")


class LinearPolicy(SumPolicy):
    """Ridge regression of the reward on (1, x), one an arm; the sums are the state, its factors are derived."""

    contextual = True

    def _cold(self) -> Arrays:
        arms, size = len(self.arms), self.schema.width + 1
        return {"outer": np.zeros((arms, size, size)), "cross": np.zeros((arms, size))}

    def _derive(self) -> None:
        self._factor = np.zeros_like(self.state["outer"])
        self._theta = np.zeros_like(self.state["cross"])
        size = self.schema.width + 1
        self._scorer = np.zeros((size, size + 1, len(self.arms)))
        self._everything = np.ones((1, len(self.arms)), dtype=np.bool_)
        self._factorise(self._everything[0])
        # Answering once, here, leaves no compilation to the first visitor.
        self.distribution_one(np.zeros(self.schema.width))

    def _factorise(self, touched: Bools) -> None:
        outer, cross = self.state["outer"], self.state["cross"]
        solved = factorise(touched, outer, cross, self.params["ridge"], self._factor, self._theta)
        require(solved, f"the sums of {self.name} must have a finite solution, found none")
        _interleave(touched, self._factor, self._theta, self._scorer)

    def _absorb(self, batch: Batch) -> None:
        contexts = _plain(batch.contexts)
        arms = _plain(batch.arms, np.int64)
        touched = add_rows(
            contexts, arms, _plain(batch.rewards), _plain(batch.weights), self.state["outer"], self.state["cross"]
        )
        self._factorise(touched)

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        law = np.zeros((len(contexts), len(self.arms)))
        self._fill(_plain(contexts), self._everything if allowed is None else _plain(allowed, np.bool_), law)
        return law

    @abstractmethod
    def _fill(self, contexts: Floats, allowed: Bools, law: Floats) -> None:
        """Write the law into zeros; ``allowed`` has one row for all contexts, or one for each."""


class LinUCB(LinearPolicy):
    """Chooses the arm whose reward could plausibly be the highest; arms that tie exactly share evenly.

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
    parameters = (
        Parameter("alpha", 0.25, 0.0, 1e6, "reward", "width of the bound: larger explores more"),
        RIDGE,
        *FORGETTING,
    )

    def _fill(self, contexts: Floats, allowed: Bools, law: Floats) -> None:
        _fill_ucb(contexts, allowed, self._scorer, self.params["alpha"], law)


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
    parameters = (
        Parameter("noise", 0.1, 1e-6, 1e6, "reward", "spread of a reward around its expectation: larger explores more"),
        RIDGE,
        *FORGETTING,
    )

    def _fill(self, contexts: Floats, allowed: Bools, law: Floats) -> None:
        _fill_thompson(contexts, allowed, self._scorer, self.params["noise"], law)


def _plain(array: npt.NDArray[Any], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return ``array`` as kernels know it; one that is strided or read-only would have each compiled anew."""
    return array if array.flags.carray and array.dtype == dtype else np.array(array, dtype=dtype, order="C")


@kernel
def _interleave(touched: Bools, factor: Floats, theta: Floats, scorer: Floats) -> None:
    """Write F and θ of the ``touched`` arms to ``scorer`` (D, D + 1, K): in row j what z_j adds to F'z, then to z'θ.

    With the arms innermost, what one z_j adds to the scores of all arms is a single run of memory.
    """
    size = len(scorer)
    for k in range(len(touched)):
        if touched[k]:
            for j in range(size):
                scorer[j, size, k] = theta[k, j]
                for i in range(j, size):
                    scorer[j, i, k] = factor[k, j, i]


@kernel
def _score(context: Floats, scorer: Floats, allowed: Bools, mean: Floats, sd: Floats) -> int:
    """Write mean z'θ and |F'z| of the allowed arms, one after another, and return how many they are."""
    size, arms = len(scorer), len(allowed)
    if len(context) != size - 1:
        raise ValueError("contexts must be as wide as the schema")
    total = scorer[0].copy()
    for j in range(1, size):
        x = context[j - 1]
        if x != 0.0:  # one-hot contexts are mostly zeros
            _add(x, scorer[j].reshape(-1)[j * arms :], total.reshape(-1)[j * arms :])
    square = np.zeros(arms)
    for i in range(size):
        for k in range(arms):
            square[k] += total[i, k] * total[i, k]
    found = 0
    for k in range(arms):
        if allowed[k]:
            mean[found] = total[size, k]
            sd[found] = math.sqrt(square[k])
            found += 1
    return found


@kernel
def _add(multiple: float, row: Floats, total: Floats) -> None:
    """Add a multiple of one run of memory to another."""
    for i in range(len(total)):
        total[i] += multiple * row[i]


@kernel
def _fill_ucb(contexts: Floats, allowed: Bools, scorer: Floats, alpha: float, law: Floats) -> None:
    mean, sd = np.empty((2, allowed.shape[1]))
    for row in range(len(contexts)):
        mask = allowed[row if len(allowed) > 1 else 0]
        found = _score(contexts[row], scorer, mask, mean, sd)
        bound = mean[:found] + alpha * sd[:found]
        winners = bound == bound.max()
        _spread(winners / winners.sum(), mask, law[row])


@kernel
def _fill_thompson(contexts: Floats, allowed: Bools, scorer: Floats, noise: float, law: Floats) -> None:
    mean, sd, best = np.empty((3, allowed.shape[1]))
    for row in range(len(contexts)):
        mask = allowed[row if len(allowed) > 1 else 0]
        found = _score(contexts[row], scorer, mask, mean, sd)
        prob_best_quickly(mean[:found], noise * sd[:found], best[:found])
        _spread(best, mask, law[row])


@kernel
def _spread(shares: Floats, allowed: Bools, law: Floats) -> None:
    """Write the shares of the allowed arms, which stand one after another, to where those arms are."""
    found = 0
    for k in range(len(law)):
        if allowed[k]:
            law[k] = shares[found]
            found += 1
