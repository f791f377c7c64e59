"""Linear policies over a context, one ridge regression an arm: what they learn is the same, how they choose differs."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bandit import rules, sequence
from bandit.forgetting import FORGETTING
from bandit.lanes import padded
from bandit.parameters import Parameter
from bandit.policy import SumPolicy
from bandit.ridge import add_rows, factorise, largest
from bandit.scores import answer_many, answer_one, empty_scorer, interleave
from bandit.sequence import Played
from bandit.serialization import Arrays
from bandit.types import Batch, Bools, Floats
from bandit.validation import require

LARGEST = 1e50
"""Numbers beyond this are refused: sums of their products could overflow."""
RIDGE = Parameter("ridge", 1.0, 1e-6, 1e6, "visitors", "pulls coefficients to zero, as so many visitors without reward")


class LinearPolicy(SumPolicy):
    """Ridge regression of the reward on (1, x), one an arm; the sums are the state, its factors are derived.

    Learning adds to the sums alone. Their factors are derived when an answer needs them next, of the arms that learned
    since: from the sums and nothing else, so that a policy that was saved and read answers the same.
    """

    contextual = True
    _rule: ClassVar[int]

    def _how(self) -> tuple[float, float]:
        """Return what :func:`bandit.rules.strength` needs to know of the parameters."""
        raise NotImplementedError

    def _cold(self) -> Arrays:
        arms, size = len(self.arms), self.schema.width + 1
        return {"outer": np.zeros((arms, size, size)), "cross": np.zeros((arms, size))}

    def _set_state(self, state: Arrays) -> None:
        super()._set_state(state)
        # Answering once, here, leaves neither solving nor compilation to the first visitor.
        self.distribution_one(np.zeros(self.schema.width))

    def _derive(self) -> None:
        size = self.schema.width + 1
        self._factor = np.zeros_like(self.state["outer"])
        self._theta = np.zeros_like(self.state["cross"])
        self._scorer = empty_scorer(len(self.arms), size)
        self._everything = np.ones(len(self.arms), dtype=np.bool_)
        self._lock = threading.Lock()
        self._waiting: Bools | None = self._everything.copy()

    def _solve(self) -> None:
        """Derive what waits for it; whoever asks meanwhile waits, too."""
        with self._lock:
            waiting = self._waiting
            if waiting is not None:
                outer, cross = self.state["outer"], self.state["cross"]
                solved = factorise(waiting, outer, cross, self.params["ridge"], self._factor, self._theta)
                require(solved, f"the sums of {self.name} must have a finite solution, found none")
                interleave(waiting, self._factor, self._theta, self._scorer)
                self._strength = rules.strength(self._rule, *self._how(), self._learned())
                self._waiting = None

    def _learned(self) -> float:
        return float(self.state["outer"][:, 0, 0].sum())

    def _take(self, batch: Batch) -> None:
        most = largest(_plain(batch.contexts), _plain(batch.rewards), _plain(batch.weights))
        require(most <= LARGEST, f"contexts, rewards and weights must lie within ±{LARGEST:g}, found {most:g}")
        super()._take(batch)

    def _absorb(self, batch: Batch) -> None:
        contexts, arms = _plain(batch.contexts), _plain(batch.arms, np.int64)
        rewards, weights = _plain(batch.rewards), _plain(batch.weights)
        touched = add_rows(contexts, arms, rewards, weights, self.state["outer"], self.state["cross"])
        self._waiting = touched if self._waiting is None else self._waiting | touched

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        if self._waiting is not None:
            self._solve()
        mask = self._everything[None, :] if allowed is None else _plain(allowed, np.bool_)
        return answer_many(self._rule, self._strength, _plain(contexts), mask, self._scorer)

    def distribution_one(self, context: Floats, allowed: Bools | None = None) -> Floats:
        """Return the (K,) answer for one visitor, see :meth:`bandit.policy.Policy.distribution_one`."""
        if self.dropped is not None:
            return super().distribution_one(context, allowed)
        if self._waiting is not None:
            self._solve()
        mask = self._everything if allowed is None else allowed
        answer = np.empty(len(mask))
        answer_one(self._rule, self._strength, self.exploration, _plain(context), mask, self._scorer, answer)
        return answer

    @property
    def playable(self) -> bool:
        """Whether :meth:`play` is there: nothing fades, and no arm was dropped."""
        return not self.forgetting.active and self.dropped is None

    def play(self, contexts: Floats, rewards: Floats, uniforms: Floats) -> Played:
        """Choose, see the reward and learn, round after round, as a loop over the two verbs does, only compiled.

        Every row counts 1. The policy ends with the sums that such a loop would have left.

        Parameters
        ----------
        contexts
            (n, d) encoded contexts.
        rewards
            (n, K) what each arm would pay in each round; only that of the drawn one is looked at.
        uniforms
            (n,) numbers in [0, 1) that the arms are drawn by: the first whose cumulative share exceeds the number.

        Raises
        ------
        InvalidInput
            Before anything has changed, for wrong shapes, numbers beyond ±1e50, NaN, and a policy that is not
            :attr:`playable`.
        """
        require(self.playable, f"{self.name} plays only where nothing fades and no arm was dropped")
        contexts = _plain(self._contexts(contexts, len(rewards)))
        rewards, uniforms = _plain(rewards), _plain(uniforms)
        shapes = (rewards.shape, uniforms.shape)
        rounds = len(contexts)
        require(shapes == ((rounds, len(self.arms)), (rounds,)), f"there must be {rounds} rounds, found {shapes}")
        most = largest(contexts, rewards.reshape(-1), uniforms)
        require(most <= LARGEST, f"contexts and rewards must lie within ±{LARGEST:g}, found {most:g}")
        played = Played(np.empty(rounds, dtype=np.int64), np.empty(rounds))
        for piece in sequence.pieces(rounds):
            self._play(contexts[piece], rewards[piece], uniforms[piece], played.arms[piece], played.propensities[piece])
        return played

    def _play(self, contexts: Floats, rewards: Floats, uniforms: Floats, arms: Any, propensities: Floats) -> None:
        if self._waiting is not None:
            self._solve()
        wide = padded(self.schema.width + 1)
        inverse, theta = np.empty((len(self.arms), wide, wide)), np.zeros((len(self.arms), wide))
        sequence.inverses(self._factor, inverse)
        theta[:, : self.schema.width + 1] = self._theta
        how = (self._rule, *self._how(), self.exploration)
        sequence.play(how, self._learned(), contexts, rewards, uniforms, inverse, theta, arms, propensities)
        paid = rewards[np.arange(len(arms)), arms]
        touched = add_rows(contexts, arms, paid, np.ones(len(arms)), self.state["outer"], self.state["cross"])
        self._waiting = touched


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
    parameters = (
        Parameter("alpha", 0.25, 0.0, 1e6, "reward", "width of the bound: larger explores more"),
        RIDGE,
        *FORGETTING,
    )

    _rule = rules.UCB

    def _how(self) -> tuple[float, float]:
        return self.params["alpha"], 0.0


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

    _rule = rules.THOMPSON

    def _how(self) -> tuple[float, float]:
        return self.params["noise"], 0.0


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
    parameters = (
        Parameter("epsilon", 0.1, 0.0, 1.0, "share", "share of visitors spread evenly, before it decays"),
        Parameter("halving", 1000.0, 0.0, 1e12, "decisions", "after so many, epsilon is half as large; 0: it stays"),
        RIDGE,
        *FORGETTING,
    )
    _rule = rules.EPSILON

    def _how(self) -> tuple[float, float]:
        return self.params["epsilon"], self.params["halving"]


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
    parameters = (
        Parameter("scale", 20.0, 0.0, 1e6, "1/reward", "larger trusts the estimates more"),
        RIDGE,
        *FORGETTING,
    )
    _rule = rules.GAP

    def _how(self) -> tuple[float, float]:
        return self.params["scale"], 0.0


def _plain(array: npt.NDArray[Any], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return ``array`` as kernels know it; one that is strided or read-only would have each compiled anew."""
    return array if array.flags.carray and array.dtype == dtype else np.array(array, dtype=dtype, order="C")
