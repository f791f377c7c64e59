"""`auto`: the policy for those who do not want to choose one."""

from __future__ import annotations

import math
from typing import Any, Final, Self

import numpy as np

from bandit.chance.quadrature import prob_best_beta, prob_best_student
from bandit.drift import history
from bandit.kernels import blend
from bandit.kernels.columns import frequencies, monomials, ridges
from bandit.kernels.jit import plain
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.serialization import Arrays
from bandit.types import Arms, Batch, Bools, Floats

ROOM: Final = 3_600_000
"""Numbers that the factors of all curved models may have together, and those of all straight ones."""
MOST_COLUMNS: Final = 300
_OF_ARMS = ("straight", "straight_theta", "curved", "curved_theta", "counts")
"""Arrays of the state with one entry an arm."""


class Auto(Policy):
    """Learns what kind of world it is in: binary or numeric rewards, with context or without, curved, drifting.

    With a context every arm has four regressions of the reward, straight and curved, ridge and logistic; each forecasts
    every reward before it learns it, and the better its record, the more its upper bound counts in the arm's score. The
    arm with the highest score is chosen. Without a context it is Thompson sampling: Beta for rewards in [0, 1], normal
    for others. A second, younger generation of all that learns beside the first; it takes over when it forecasts
    better, which it does soon after the world has changed. Formulas: :mod:`bandit.kernels.blend`,
    :mod:`bandit.kernels.columns` and :mod:`bandit.drift`.

    With a context its law is 0 or 1 but for ties: without exploration a log of it supports no evaluation of other
    policies. It misleads where a change hits only arms that nobody is shown; give it a little exploration there.
    Reference: Vovk, COLT 1990 (weights by exponentiated losses); Li, Chu, Langford and Schapire, WWW 2010 (bounds);
    Bifet and Gavaldà, SDM 2007 (change).

    >>> from bandit.types import Arms
    >>> Auto(arms=Arms(("a", "b", "c", "d"))).distribution().round(9).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "auto"
    contextual = True
    mergeable = False
    stepwise = True
    parameters = (
        Parameter("width", 1.0, 0.0, 100.0, "", "how wide upper bounds are: larger explores more"),
        Parameter(
            *("columns", 0, 0, 1000, "columns", "most columns of a model; 0: as many as memory allows"),
            kind="int",
            settled=True,
        ),
        Parameter("seed", 0, 0, 2**31 - 1, "", "draws the frequencies of curved columns", kind="int"),
    )

    def _settled(self, params: dict[str, Any]) -> dict[str, Any]:
        room = min(MOST_COLUMNS, max(8, math.isqrt(ROOM // (4 * len(self.arms)))))
        return params | {"columns": room} if params["columns"] == 0 else params

    def _cold(self) -> Arrays:
        arms, width = len(self.arms), self.schema.width
        self._draw_maps()
        straight, curved = (
            1 + (width if len(self._maps.lines) == 0 else self._maps.lines.shape[1]),
            len(self._maps.held),
        )
        scale = np.zeros((3, width))
        scale[1] = 1.0
        state: Arrays = {
            "straight": np.zeros((arms, 4, straight * (straight + 1) // 2)),
            "straight_theta": np.zeros((arms, 4, straight)),
            "curved": np.zeros((arms, 4, curved * (curved + 1) // 2)),
            "curved_theta": np.zeros((arms, 4, curved)),
            "record": np.zeros((2, blend.MODELS, 3)),
            "scale": scale,
            "moments": np.zeros((2, width)),
            "history": np.stack([history(), history()]),
            "book": np.zeros(blend.BOOK),
            "counts": np.zeros((arms, 2, 3)),
        }
        state["book"][[blend.UNIT, blend.STRETCH, blend.LIMIT]] = 1.0, 1.0, 500.0
        for g in range(2):
            blend.renew(g, _mind(state), self._maps, state["counts"])
        return state

    def _draw_maps(self) -> None:
        """Settle how contexts become columns: by the width, the room and the seed alone."""
        width, room, seed = self.schema.width, self.params["columns"], self.params["seed"]
        powers = monomials(width, room)
        waves = frequencies(width, room, seed) if len(powers) == 0 else np.zeros((0, width))
        lines: Floats = np.zeros((0, 0))
        if width + 1 > room:
            signs = np.random.default_rng(seed + 1).integers(0, 2, (width, max(room - 1, 1)))
            lines = np.asarray((2.0 * signs - 1.0) / math.sqrt(signs.shape[1]), dtype=np.float64)
        self._maps = blend.Maps(lines, powers, waves, ridges(powers, waves))

    def _derive(self) -> None:
        self._mind = _mind(self.state)
        self._everything = np.ones((1, len(self.arms)), dtype=np.bool_)
        self._answers: dict[bytes, Floats] = {}
        # Answering once, here, leaves no compilation to the first visitor.
        self._law(np.zeros((1, self.schema.width)), None)

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        mask = self._everything if allowed is None else plain(allowed, np.bool_)
        if self.schema.width == 0:
            return np.stack([self._without_context(mask[row % len(mask)]) for row in range(len(contexts))])
        law = np.zeros((len(contexts), len(self.arms)))
        blend.choose(plain(contexts), mask, self._mind, self._maps, self.params["width"], law)
        return law

    def _without_context(self, mask: Bools) -> Floats:
        """Return the (K,) chance of each allowed arm to be the best, by what the leading generation has counted."""
        key = mask.tobytes()
        if key not in self._answers:
            book = self.state["book"]
            n, total, squares = self.state["counts"][mask, int(book[blend.LEAD])].T
            answer = np.zeros(len(mask))
            if book[blend.NUMERIC] > 0:
                answer[mask] = _best_of_numbers(n, total, squares)
            else:
                answer[mask] = prob_best_beta(1.0 + total, 1.0 + np.maximum(n - total, 0.0))
            if len(self._answers) >= 256:
                self._answers = {}
            self._answers[key] = answer
        return self._answers[key]

    def _absorb(self, batch: Batch) -> None:
        contexts = batch.contexts if self.schema.width > 0 else np.zeros((len(batch), 0))
        blend.learn(
            plain(contexts),
            plain(batch.arms, np.int64),
            plain(batch.rewards),
            plain(batch.weights),
            self._mind,
            self._maps,
            self.state["counts"],
        )
        self._answers = {}

    def with_arms(self, arms: Arms) -> Self:
        """Return the same knowledge over another set of arms: matched by key, added ones cold, removed ones dropped."""
        before = {key: i for i, key in enumerate(self.arms.keys)}
        kept = [(i, before[key]) for i, key in enumerate(arms.keys) if key in before]
        to, source = [i for i, _ in kept], [j for _, j in kept]
        cold = type(self)(arms=arms, schema=self.schema, **self.params).state
        state = {name: array.copy() for name, array in self.state.items()}
        for name in _OF_ARMS:
            state[name] = cold[name]
            state[name][to] = self.state[name][source]
        return self._over(arms, state)


def _mind(state: Arrays) -> blend.Mind:
    return blend.Mind(*(state[name] for name in blend.Mind._fields))


def _best_of_numbers(n: Floats, total: Floats, squares: Floats) -> Floats:
    """Return P(best) of Student posteriors whose prior is worth one row of the pooled mean, two of the variance."""
    mean = total.sum() / max(n.sum(), 1.0)
    variance = squares.sum() / max(n.sum(), 1.0) - mean**2
    variance = variance if variance > 1e-12 * mean**2 else max(mean**2, 1.0)
    shifted = total - n * mean
    spread = np.maximum(squares - 2 * mean * total + n * mean**2 - shifted**2 / (1 + n), 0.0) + 2 * variance
    return prob_best_student(mean + shifted / (1 + n), np.sqrt(spread / ((2 + n) * (1 + n))), 2 + n)
