"""Linear policies that share what variants have in common: a new variant starts warm, from its attributes."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from bandit.bases.linear import BOUND, CHANCE, GAPS, GREEDY, RIDGE, LinearPolicy
from bandit.chance.normals import normals_for, prob_best_correlated
from bandit.forgetting import CLOCK, FORGETTING
from bandit.kernels import arrow, rules
from bandit.kernels.jit import kernel, plain
from bandit.kernels.lanes import padded
from bandit.kernels.ridge import factorise
from bandit.kernels.scores import interleave
from bandit.parameters import Parameter
from bandit.policy import NotMergeable, Policy, SumPolicy
from bandit.serialization import Arrays
from bandit.types import Arms, Bools, Floats, Ints
from bandit.validation import require

SHARED = Parameter(
    "shared_ridge", 1.0, 1e-6, 1e6, "visitors", "pulls shared coefficients to zero: smaller lets variants share more"
)


class HybridPolicy(LinearPolicy):
    """Ridge regression of the reward on what an arm's attributes predict and on what is its own (``kernels/arrow.py``).

    The reward of arm k is x̃'(Σ_j ã_kj β_j + θ_k) + noise, x̃ = (1, x), ã_k = (1, a_k) with the arm's encoded attributes
    a_k; β is shared by all arms, θ_k is the arm's own. Without attributes β is what arms have in common on average.

    The state is the sums of each arm, and what removed arms have told of β, their θ integrated out: that stays. An
    arm whose attributes were changed is judged by the new ones, its old rows too.
    """

    def _cold(self) -> Arrays:
        size = (self.schema.width + 1) * (self.schema.arm_width + 1)
        return super()._cold() | {"gone_outer": np.zeros((size, size)), "gone_cross": np.zeros(size)}

    def _derive(self) -> None:
        super()._derive()
        self._attributes = np.ones((len(self.arms), self.schema.arm_width + 1))
        self._attributes[:, 1:] = self.schema.encode_arms(self.arms.attributes)
        # By key, so that answers do not depend on where arms stand.
        self._order: Ints = np.argsort(np.array(self.arms.keys), kind="stable").astype(np.int64)
        self._inverse = np.zeros_like(self.state["outer"])
        self._total = np.zeros_like(self.state["cross"])
        self._root = np.zeros_like(self.state["gone_outer"])

    def _solve(self) -> None:
        with self._lock:
            if self._waiting is not None:
                self._factorise(self._waiting)
                self._finish()
                self._strength = rules.strength(self._rule, *self._how(), self._learned())
                self._waiting = None

    def _factorise(self, touched: Bools) -> None:
        """Derive the own part of the ``touched`` arms, then what all share."""
        state, ridge = self.state, self.params["ridge"]
        solved = factorise(touched, state["outer"], state["cross"], ridge, self._factor, self._theta)
        arrow.invert(touched, self._factor, self._inverse)
        outer, cross = self._told(self._order)
        shared, one = np.zeros((1, len(cross))), np.ones(1, dtype=np.bool_)
        solved &= factorise(one, outer[None], cross[None], self.params["shared_ridge"], self._root[None], shared)
        require(solved, f"the sums of {self.name} must have a finite solution, found none")
        arrow.totals(self._attributes, self._inverse, self._theta, shared[0], ridge, self._total)

    def _told(self, arms: Ints) -> tuple[Floats, Floats]:
        """Return what removed arms and these ``arms`` tell of β."""
        outer, cross = self.state["gone_outer"].copy(), self.state["gone_cross"].copy()
        arrow.tell(
            arms,
            self._attributes,
            self.state["outer"],
            self._inverse,
            self._theta,
            self.params["ridge"],
            outer,
            cross,
        )
        return outer, cross

    def coefficients(self) -> Floats:
        """Return the (K, 1 + d) means of τ: the intercept, then one a column of the context, in units of reward."""
        if self._waiting is not None:
            self._solve()
        return self._total.copy()

    def joint(self, context: Floats) -> tuple[Floats, Floats, Floats]:
        """Return mean (K,), own (K,) and shared (K, m) of the scores in a context (d,).

        They are N(mean, s²·(shared shared' + diag(own))), s being the spread of a reward around its expectation.
        """
        mean, own = np.empty((2, len(self.arms)))
        every, total, ridge = np.arange(len(self.arms)), self.coefficients(), self.params["ridge"]
        inverse, root = _padded(self._inverse), _padded(self._root)
        shared = arrow.score(plain(context), every, self._attributes, inverse, total, root, ridge, mean, own)
        return mean, own, shared[:, : len(self._root)]

    def _finish(self) -> None:
        """Derive what answers are made of; here the means alone."""
        root = np.zeros_like(self._inverse)
        interleave(self._everything, root, self._total, self._scorer)

    @property
    def playable(self) -> bool:
        """Whether :meth:`play` is there: never, since every row changes the scores of all arms."""
        return False

    def merge(self, other: Policy) -> Self:
        """Add the sums of ``other``, whose arms must have the same attributes, and return this policy."""
        if isinstance(other, HybridPolicy) and other.arms.keys == self.arms.keys:
            alike = np.array_equal(self._attributes, other._attributes)
            if not alike:
                raise NotMergeable(f"{self.name} merges with the same policy over the same arms and attributes")
        return super().merge(other)

    def with_arms(self, arms: Arms) -> Self:
        """Return the same knowledge over another set of arms; what removed ones told of the others stays."""
        if self._waiting is not None:
            self._solve()
        before = {key: i for i, key in enumerate(self.arms.keys)}
        kept = [(i, before[key]) for i, key in enumerate(arms.keys) if key in before]
        to, source = [i for i, _ in kept], [j for _, j in kept]
        removed = [k for k in self._order if k not in set(source)]
        outer, cross = self._told(np.array(removed, dtype=np.int64))
        state: Arrays = {"gone_outer": outer, "gone_cross": cross}
        for name in ("outer", "cross"):
            array = self.state[name]
            state[name] = np.zeros((len(arms), *array.shape[1:]))
            state[name][to] = array[source]
        if CLOCK in self.state:
            state[CLOCK] = self.state[CLOCK].copy()
        return self._over(arms, {name: state[name] for name in self.state})


class HybridLinUCB(HybridPolicy):
    """Chooses the arm whose reward could plausibly be the highest, judging new arms by their attributes.

    The bound of arm k is x̃'E[τ_k] + ``alpha``·sqrt(x̃'Cov(τ_k)x̃), where τ_k = Σ_j ã_kj β_j + θ_k are the coefficients
    of arm k, the shared part of (1 + arm_width)·(1 + d) numbers and its own of 1 + d, as :mod:`bandit.kernels.arrow`
    says: β has prior variance 1/``shared_ridge`` and θ_k 1/``ridge``, in units of the noise's. Arms that tie share
    evenly.

    It misleads where attributes say little of how arms do, but are many: until rows show it, arms are judged by chance
    likeness. Its cost is that of (1 + arm_width)·(1 + d) coefficients, cubed, whenever something was learned. Its law
    is 0 or 1 but for ties. Reference: Li, Chu, Langford and Schapire, WWW 2010, algorithm 2.

    An arm that nobody has seen is shown as its attribute says, from the first visitor:

    >>> from bandit.features import Attribute, AttributeType, Schema
    >>> from bandit.types import Arms, Batch
    >>> red, blue = {"colour": "red"}, {"colour": "blue"}
    >>> schema = Schema(arms=[Attribute("colour", AttributeType.CATEGORY, values=("red", "blue"))])
    >>> policy = HybridLinUCB(arms=Arms(("a", "b", "c"), attributes=(red, red, blue)), schema=schema)
    >>> arms = np.arange(90) % 3
    >>> policy.learn(
    ...     Batch(np.zeros((90, 0)), arms, (arms < 2) * 1.0, np.full((90, 3), 1 / 3), np.arange(90), np.ones(90))
    ... )
    >>> policy.with_arms(Arms(("new red", "new blue"), attributes=(red, blue))).distribution().tolist()
    [[1.0, 0.0]]
    """

    name = "hybrid_linucb"
    parameters = (*BOUND, RIDGE, SHARED, *FORGETTING)
    _rule = rules.UCB

    def _finish(self) -> None:
        one = np.ones(1, dtype=np.bool_)
        covariance, spread = np.empty_like(self._root), np.empty_like(self._inverse)
        arrow.invert(one, self._root[None], covariance[None])
        arrow.spreads(self._attributes, self.state["outer"], self._inverse, covariance, self.params["ridge"], spread)
        self._deviation = np.empty_like(spread)
        arrow.roots(spread, self._deviation)
        interleave(self._everything, self._deviation, self._total, self._scorer)

    def scores(self, contexts: Floats) -> tuple[Floats, Floats]:
        """Return the (n, K) means and deviations of what bounds are made of, in (n, d) contexts."""
        z = np.column_stack([np.ones(len(contexts)), contexts])
        mean = z @ self.coefficients().T
        return mean, np.sqrt(((z @ self._deviation) ** 2).sum(axis=2)).T


class HybridEpsilonGreedy(HybridPolicy):
    """Shows the arm with the highest estimate, also by its attributes, but gives all an even share now and then.

    The law is (1 - ε)·[k has the largest x̃'E[τ_k]] + ε/K with ε = ``epsilon``/(1 + n/``halving``) after n rows, or
    ``epsilon`` for ever where ``halving`` is 0; τ_k is that of :class:`HybridLinUCB`. Ties share evenly.

    It misleads by exploring blindly: an arm that is certainly bad gets as much as one that is unknown. Reference: Li,
    Chu, Langford and Schapire, WWW 2010, sections 5.1 and 3.2 (the rule, and the model).

    >>> HybridEpsilonGreedy(arms=Arms(("a", "b"))).distribution().tolist()
    [[0.5, 0.5]]
    """

    name = "hybrid_epsilon_greedy"
    parameters = (*GREEDY, RIDGE, SHARED, *FORGETTING)
    _rule = rules.EPSILON


class HybridSquareCB(HybridPolicy):
    """Shows an arm the less often, the further its estimate, also by its attributes, is below the best one.

    With f_k = x̃'E[τ_k], τ_k that of :class:`HybridLinUCB`, every arm but the best gets 1 / (K + γ·(max f - f_k)), and
    the best gets the rest; γ = ``scale``·√n after n rows of the present arms.

    It misleads where the reward's unit is forgotten: ``scale`` is per unit of reward, right for rewards in [0, 1].
    Reference: Foster and Rakhlin, ICML 2020, algorithm 1.

    >>> HybridSquareCB(arms=Arms(("a", "b"))).distribution().tolist()
    [[0.5, 0.5]]
    """

    name = "hybrid_squarecb"
    parameters = (*GAPS, RIDGE, SHARED, *FORGETTING)
    _rule = rules.GAP


class HybridThompson(HybridPolicy):
    """Sends each arm the probability that its expected reward in this context is the highest, all arms together.

    Coefficients τ_k of arm k are those of :class:`HybridLinUCB`, with the normal posterior of a reward whose spread
    around its expectation is ``noise``. As arms share β, their scores x̃'τ_k are correlated: the law is that of drawing
    all of them at once, by fixed quasi-random normals (:mod:`bandit.chance.normals`). Arms that nobody has seen and
    that have the same attributes get the same.

    Its total variation to that law is .003 on average for ten arms. It misleads where attributes say little of how
    arms do, but are many. Reference: Li, Chu, Langford and Schapire, WWW 2010, algorithm 2 (the model); Agrawal and
    Goyal, ICML 2013, algorithm 1 (the rule).

    >>> HybridThompson(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "hybrid_thompson"
    parameters = (*CHANCE, RIDGE, SHARED, *FORGETTING)
    _rule: ClassVar[int] = rules.THOMPSON

    def _finish(self) -> None:
        self._points = normals_for(len(self.arms))
        self._wide = _padded(self._inverse), _padded(self._root)
        seen = self.state["outer"][:, 0, 0] > 0
        first: dict[bytes, int] = {}
        self._twin = np.arange(len(self.arms))
        for k in self._order:
            if not seen[k]:
                self._twin[k] = first.setdefault(self._attributes[k].tobytes(), int(k))

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        if self._waiting is not None:
            self._solve()
        law = np.zeros((len(contexts), len(self.arms)))
        _fill_thompson(
            plain(contexts),
            self._everything[None, :] if allowed is None else plain(allowed, np.bool_),
            self._order,
            self._twin,
            (self._attributes, self._wide[0], self._total, self._wide[1]),
            (self.params["ridge"], self._strength),
            self._points,
            law,
        )
        return law

    def distribution_one(self, context: Floats, allowed: Bools | None = None) -> Floats:
        """Return the (K,) answer for one visitor, see :meth:`bandit.policy.Policy.distribution_one`."""
        return SumPolicy.distribution_one(self, context, allowed)


def _padded(array: Floats) -> Floats:
    """Return ``array`` with columns of zeros, to whole lanes."""
    wide = np.zeros((*array.shape[:-1], padded(array.shape[-1])))
    wide[..., : array.shape[-1]] = array
    return wide


@kernel
def _fill_thompson(
    contexts: Floats,
    allowed: Bools,
    order: Ints,
    twin: Ints,
    model: tuple[Floats, Floats, Floats, Floats],
    strength: tuple[float, float],
    points: tuple[Floats, Floats],
    law: Floats,
) -> None:
    attributes, inverse, total, root = model
    ridge, noise = strength
    sums, counts = np.empty((2, len(order)))
    for row in range(len(contexts)):
        mask = allowed[row if len(allowed) > 1 else 0]
        arms = order[mask[order]]
        mean, own, best = np.empty((3, len(arms)))
        shared = arrow.score(contexts[row], arms, attributes, inverse, total, root, ridge, mean, own)
        prob_best_correlated(mean / noise, own, shared, points[0], points[1], best)
        sums[:], counts[:] = 0.0, 0.0
        for place in range(len(arms)):
            sums[twin[arms[place]]] += best[place]
            counts[twin[arms[place]]] += 1.0
        for k in arms:
            law[row, k] = sums[twin[k]] / counts[twin[k]]
