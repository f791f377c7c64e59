"""A neural-linear policy: a network learns what to look at, an exact posterior over its last layer how sure to be.

The network is scikit-learn's, the optional extra ``neural``. Only learning needs it: answers are computed here, from
weights that are plain arrays.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from importlib.util import find_spec
from typing import Final, Self

import numpy as np

from bandit.kernels import rules
from bandit.kernels.jit import kernel, plain
from bandit.kernels.laplace import add_evidence, dot, prior, project
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.serialization import Arrays
from bandit.types import Arms, Batch, Bools, Floats, Ints
from bandit.validation import require

_EPOCHS: Final = 100
_FEWEST: Final = 20
"""Rows without which there is nothing to train on."""
_VARIANCE: Final = 4.0
"""What the units of the network together contribute to a score, in units of the variance of a coefficient."""


class NeuralLinear(Policy):
    """Thompson sampling on what a network has learned to see: for rewards that are curved in ways nobody declared.

    A network of one hidden layer of ``units`` rectified units predicts the reward from context and arm; its unit h is
    u_h = max(0, c_h + Σ_j x_j W_jh + V_kh). Over z = (1, x, u), the arm has its own Bayesian regression,
    A_k = ``ridge``·I + Σ w z z', θ_k = A_k⁻¹ Σ w r z, and the law is P(score k is the largest) of independent scores
    N(z'θ_k, ``noise``²·z'A_k⁻¹z), by quadrature. The network is trained anew on the last ``memory`` decisions after
    every ``interval`` of them (at a quarter and a half of the first, too), and the regressions are then made again
    from these decisions; before, they are those of linear Thompson sampling. Units are scaled to one size.

    The state has a fixed size; it is no sum. It misleads where decisions are fewer than thousands, and, like all that
    forget, it comes back to arms that were bad more than ``memory`` decisions ago. Training takes the time of hundreds
    of decisions. Two machines agree only if their linear algebra libraries do. Reference: Riquelme, Tucker and Snoek,
    ICLR 2018, section 4 (neural linear).

    >>> from bandit.types import Arms
    >>> NeuralLinear(arms=Arms(("a", "b"))).distribution().round(12).tolist()
    [[0.5, 0.5]]
    """

    name = "neural_linear"
    contextual = True
    mergeable = False
    stepwise = True
    parameters = (
        Parameter("noise", 0.1, 1e-6, 1e6, "reward", "spread of a reward around its expectation: larger explores more"),
        Parameter("ridge", 1.0, 1e-6, 1e6, "visitors", "pulls coefficients to zero, as so many visitors do"),
        Parameter("units", 50, 1, 500, "units", "of the network's hidden layer", kind="int"),
        Parameter("interval", 1000, 100, 1_000_000, "decisions", "between two trainings", kind="int"),
        Parameter("memory", 4000, 100, 100_000, "decisions", "that the network is trained on, the last", kind="int"),
        Parameter("seed", 0, 0, 2**31 - 1, "", "another one begins with another network", kind="int"),
    )

    def _cold(self) -> Arrays:
        arms, width, units, memory = len(self.arms), self.schema.width, self.params["units"], self.params["memory"]
        return {
            "seen": np.zeros(1, dtype=np.int64),
            "old_contexts": np.zeros((memory, width)),
            "old_arms": np.full(memory, -1, dtype=np.int64),
            "old_rewards": np.zeros(memory),
            "old_weights": np.zeros(memory),
            "bias": np.zeros(units),
            "inputs": np.zeros((width, units)),
            "arms": np.zeros((arms, units)),
        } | self._no_rows(arms)

    def _no_rows(self, arms: int) -> Arrays:
        size = 1 + self.schema.width + self.params["units"]
        return {"factor": np.tile(prior(size, self.params["ridge"]), (arms, 1)), "theta": np.zeros((arms, size))}

    def _derive(self) -> None:
        self._everything = np.ones((1, len(self.arms)), dtype=np.bool_)

    def _set_state(self, state: Arrays) -> None:
        super()._set_state(state)
        # Answering once, here, leaves no compilation to the first visitor.
        self.distribution_one(np.zeros(self.schema.width))

    @property
    def _network(self) -> tuple[Floats, Floats, Floats]:
        return self.state["bias"], self.state["inputs"], self.state["arms"]

    @property
    def _posterior(self) -> tuple[Floats, Floats]:
        return self.state["factor"], self.state["theta"]

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        laws = np.empty((len(contexts), len(self.arms)))
        mask = self._everything if allowed is None else plain(allowed, np.bool_)
        _answers(plain(contexts), mask, self._network, self._posterior, self.params["noise"], laws)
        return laws

    def _absorb(self, batch: Batch) -> None:
        require(_is_installed(), f"{self.name} learns with scikit-learn: install the extra landit[neural]")
        columns = (plain(batch.contexts), plain(batch.arms, np.int64), plain(batch.rewards), plain(batch.weights))
        start = 0
        while start < len(batch):
            seen = int(self.state["seen"][0])
            end = min(start + self._due(seen) - seen, len(batch))
            contexts, arms, rewards, weights = (column[start:end] for column in columns)
            _learn(contexts, arms, rewards, weights, self._network, self._posterior)
            self._remember(seen, (contexts, arms, rewards, weights))
            if seen + end - start == self._due(seen):
                self._train()
            start = end

    def _due(self, seen: int) -> int:
        """Return after how many decisions the next training comes."""
        interval: int = self.params["interval"]
        for early in (interval // 4, interval // 2):
            if seen < early:
                return early
        return (seen // interval + 1) * interval

    def _remember(self, seen: int, rows: tuple[Floats | Ints, ...]) -> None:
        memory = self.params["memory"]
        places = (seen + np.arange(len(rows[1]))) % memory
        for name, column in zip(("contexts", "arms", "rewards", "weights"), rows, strict=True):
            # The last of them alone, so that no place comes twice.
            self.state[f"old_{name}"][places[-memory:]] = column[-memory:]
        self.state["seen"][0] = seen + len(rows[1])

    def _train(self) -> None:
        """Train the network on the decisions remembered, and make the regressions of them again."""
        memory, seen = self.params["memory"], int(self.state["seen"][0])
        places = (seen + np.arange(memory)) % memory  # the oldest first
        kept = places[(self.state["old_arms"][places] >= 0) & (self.state["old_weights"][places] > 0)]
        if len(kept) < _FEWEST:
            return
        contexts, arms, rewards, weights = (
            np.ascontiguousarray(self.state[f"old_{name}"][kept]) for name in ("contexts", "arms", "rewards", "weights")
        )
        network = _fitted(contexts, arms, rewards, weights, self.state["arms"], self.params["seed"])
        if network is None:
            return
        self.state |= dict(zip(("bias", "inputs", "arms"), network, strict=True))
        self.state |= self._no_rows(len(self.arms))
        _learn(contexts, arms, rewards, weights, self._network, self._posterior)

    def with_arms(self, arms: Arms) -> Self:
        """Return the same knowledge over another set of arms; decisions for removed ones are forgotten."""
        before = {key: i for i, key in enumerate(self.arms.keys)}
        state = {name: array.copy() for name, array in self.state.items()} | self._no_rows(len(arms))
        state["arms"] = np.zeros((len(arms), self.params["units"]))
        state["old_arms"][:] = -1
        for to, key in enumerate(arms.keys):
            if key in before:
                for name in ("factor", "theta", "arms"):
                    state[name][to] = self.state[name][before[key]]
                state["old_arms"][self.state["old_arms"] == before[key]] = to
        return self._over(arms, state)


@cache
def _is_installed() -> bool:
    return find_spec("sklearn") is not None


def _fitted(
    contexts: Floats, arms: Ints, rewards: Floats, weights: Floats, before: Floats, seed: int
) -> tuple[Floats, Floats, Floats] | None:
    """Return c (H,), W (d, H) and V (K, H) of a network trained on rows, scaled; None where training led nowhere."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    count, units = before.shape
    middle, spread = _standard(contexts)
    target, unit = _standard(rewards)
    features = np.hstack([(contexts - middle) / spread, np.eye(count)[arms]])
    model = MLPRegressor(hidden_layer_sizes=(units,), max_iter=_EPOCHS, random_state=seed, learning_rate_init=0.005)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to stop early is what is wanted
        model.fit(features, (rewards - target) / unit, sample_weight=weights)
    layer, bias = model.coefs_[0], model.intercepts_[0]
    hidden = np.maximum(features @ layer + bias, 0.0)
    size = np.sqrt((weights[:, None] * hidden**2).sum(axis=0) / weights.sum())
    scale = np.where(size > 1e-6, math.sqrt(_VARIANCE / units) / np.maximum(size, 1e-6), 0.0)
    inputs = layer[: len(middle)] / spread[:, None] * scale
    network = (bias * scale - middle @ inputs, np.ascontiguousarray(inputs), layer[len(middle) :] * scale)
    return network if all(np.isfinite(array).all() for array in network) else None


def _standard(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation along the rows, 1 where there is none."""
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 0, spread, 1.0)


@kernel
def _units(context: Floats, network: tuple[Floats, Floats, Floats], common: Floats) -> None:
    """Write what the units see of a context: c + W'x."""
    common[:] = network[0]
    for j in range(len(context)):
        for h in range(len(common)):
            common[h] += context[j] * network[1][j, h]


@kernel
def _represent(common: Floats, own: Floats, z: Floats) -> None:
    """Write the units of an arm behind (1, x) in ``z``."""
    start = len(z) - len(common)
    for h in range(len(common)):
        z[start + h] = max(common[h] + own[h], 0.0)


@kernel
def _learn(
    contexts: Floats,
    arms: Ints,
    rewards: Floats,
    weights: Floats,
    network: tuple[Floats, Floats, Floats],
    posterior: tuple[Floats, Floats],
) -> None:
    """Take rows one after another into the regressions of their arms."""
    factor, theta = posterior
    z, room, common = np.ones(theta.shape[1]), np.empty(theta.shape[1]), np.empty(len(network[0]))
    for row in range(len(contexts)):
        k = arms[row]
        z[1 : 1 + contexts.shape[1]] = contexts[row]
        _units(contexts[row], network, common)
        _represent(common, network[2][k], z)
        variance = project(z, factor[k], room)
        gain = weights[row] * (rewards[row] - dot(z, theta[k])) / (1 + weights[row] * variance)
        add_evidence(weights[row], gain, room, factor[k], theta[k])


@kernel
def _answers(
    contexts: Floats,
    allowed: Bools,
    network: tuple[Floats, Floats, Floats],
    posterior: tuple[Floats, Floats],
    noise: float,
    laws: Floats,
) -> None:
    """Write the (n, K) laws; ``allowed`` has one row for all, or one for each."""
    factor, theta = posterior
    mean, sd, shares = np.empty((3, len(theta)))
    z, room, common = np.ones(theta.shape[1]), np.empty(theta.shape[1]), np.empty(len(network[0]))
    for row in range(len(contexts)):
        mask = allowed[row if len(allowed) > 1 else 0]
        z[1 : 1 + contexts.shape[1]] = contexts[row]
        _units(contexts[row], network, common)
        found = 0
        for k in range(len(theta)):
            if mask[k]:
                _represent(common, network[2][k], z)
                mean[found], sd[found] = dot(z, theta[k]), math.sqrt(project(z, factor[k], room))
                found += 1
        rules.share_out(rules.THOMPSON, noise, mean[:found], sd[:found], shares[:found])
        place = 0
        for k in range(len(theta)):
            laws[row, k] = shares[place] if mask[k] else 0.0
            place += mask[k]
