"""A policy over policies: several learn side by side, and traffic moves to those that would have earned most."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np

from bandit.features import Schema
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.registry import policy_class
from bandit.serialization import Arrays
from bandit.types import Arms, Batch, Bools, Floats
from bandit.validation import InvalidInput, require

MEMBERS: Final = ("thompson_normal", "linucb", "linear_thompson", "fourier_linucb")
"""Default members: without context, straight by bound and by chance, curved. All take rewards of any size."""
HEAVIEST: Final = 20.0
"""Largest weight π/p of a row: rarer choices count as if they were not quite so rare, which bounds the variance."""
TIE: Final = 1.0
"""How much of a standard error one unit of Brier score counts where values tie."""
_VALUE, _SPREAD, _BRIER, _WEIGHT = range(4)
"""Columns of the members' scores."""


class Ensemble(Policy):
    """Runs several policies, and serves the mixture p = Σ_j w_j·π_j of their distributions, weights w by their worth.

    Before the members learn a row (x, arm a, reward r, logged probability p_a), each is credited with what it would
    have earned, by the doubly robust estimate

        v_j = Σ_k π_j(k|x)·q_k + min(π_j(a|x)/p_a, 20)·(r - q_a),

    q_k the mean reward of arm k so far. With discounted sums V_j of v_j and S_j of (v_j - mean over members)², and B_j
    the mean of (π_j(a|x) - r̃)², r̃ the reward in [0, 1], which breaks ties,

        w_j ∝ exp(``sharpness``·(V_j - V_best)/sqrt(S_j + S_best) - (B_j - B_least)),

    and no weight is below ``floor``/J, so that each member goes on showing what it can. With ``corral`` = 1 weights are
    moved instead by mirror descent with a log barrier on the importance-weighted losses (1 - r̃)·π_j(a|x)/p_a.

    All members learn from every row. A batch is scored before it is learned, so steps matter. ``members`` are names of
    the registry; rewards that one member refuses are refused. It misleads where members differ only on visitors who
    are rare. Reference: Dudík, Erhan, Langford and Li, Statistical Science 29 (2014) for v; Agarwal, Luo, Neyshabur and
    Schapire, COLT 2017, algorithm 1 for the corral.

    >>> from bandit.types import Arms
    >>> Ensemble(arms=Arms(("a", "b")), members=("thompson", "fixed")).distribution().round(9).tolist()
    [[0.5, 0.5]]
    """

    name = "ensemble"
    contextual = True
    mergeable = False
    stepwise = False
    parameters = (
        Parameter("score_half_life", 2000.0, 1.0, 1e9, "decisions", "after so many, a score counts half"),
        Parameter("sharpness", 2.0, 0.0, 1e3, "", "how fast traffic moves to the best member"),
        Parameter("floor", 0.02, 0.0, 1.0, "", "share that all members keep, evenly, whatever they earn"),
        Parameter("corral", 0, 0, 1, "", "1: move weights as a corral does", kind="int"),
        Parameter("rate", 0.05, 1e-6, 10.0, "", "learning rate of the corral"),
    )

    def __init__(
        self,
        *,
        arms: Arms,
        schema: Schema | None = None,
        exploration: float = 0.0,
        members: Sequence[str] = MEMBERS,
        **params: Any,
    ) -> None:
        names = list(members)
        alone = len(names) > 0 and len(set(names)) == len(names) and self.name not in names
        require(alone, f"members must be distinct names of other policies, at least one, found {names}")
        self.members = [policy_class(name)(arms=arms, schema=schema) for name in names]
        super().__init__(arms=arms, schema=schema, exploration=exploration, **params)
        self.params["members"] = names

    @property
    def state(self) -> Arrays:
        """The scores, and the members' states, each array under the member's name."""
        nested = {f"{m.name}.{array}": found for m in self.members for array, found in m.state.items()}
        return {"scores": self._scores, "rewards": self._rewards} | nested

    @state.setter
    def state(self, arrays: Arrays) -> None:
        self._scores, self._rewards = arrays["scores"], arrays["rewards"]
        for member in self.members:
            member._set_state(_of(member.name, arrays))

    @property
    def weights(self) -> Floats:
        """(J,) share of the traffic that each member has."""
        scores, floor = self._scores, self.params["floor"] / len(self.members)
        if self.params["corral"]:
            raw = scores[:, _WEIGHT]
        else:
            best = scores[:, _VALUE].argmax()
            spread = np.sqrt(scores[:, _SPREAD] + scores[best, _SPREAD])
            behind = scores[:, _VALUE] - scores[best, _VALUE]
            ahead = np.divide(behind, spread, out=np.zeros(len(scores)), where=spread > 0)
            logits = self.params["sharpness"] * ahead - TIE * (scores[:, _BRIER] - scores[:, _BRIER].min())
            raw = np.exp(logits - logits.max())
        return np.asarray(floor + (1 - floor * len(self.members)) * raw / raw.sum())

    def _cold(self) -> Arrays:
        scores = np.zeros((len(self.members), 4))
        scores[:, _WEIGHT] = 1 / len(self.members)
        nested = {f"{m.name}.{array}": found for m in self.members for array, found in m._cold().items()}
        return {"scores": scores, "rewards": np.zeros((len(self.arms), 3))} | nested

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        law = np.zeros((len(contexts), len(self.arms)))
        for weight, member in zip(self.weights, self.members, strict=True):
            law += weight * member._law(contexts, allowed)
        return law

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse what any member refuses."""
        for member in self.members:
            member.check_rewards(rewards)

    def _absorb(self, batch: Batch) -> None:
        rows, contexts = np.arange(len(batch)), batch.contexts
        if self.schema.width == 0:
            contexts = np.zeros((len(batch), 0))
        shares = np.stack([member._law(contexts, None) for member in self.members])
        chosen = shares[:, rows, batch.arms]
        low, unit = self._span(batch)
        scaled = np.clip((batch.rewards - low) / unit, 0.0, 1.0)
        self._score(batch, shares, chosen, scaled)
        if self.params["corral"]:
            self._move(chosen / batch.propensities, 1 - scaled)
        np.add.at(self._rewards[:, 0], batch.arms, batch.weights)
        np.add.at(self._rewards[:, 1], batch.arms, batch.weights * batch.rewards)
        np.add.at(self._rewards[:, 2], batch.arms, batch.weights * batch.rewards**2)
        for member in self.members:
            member.learn(batch)

    def _span(self, batch: Batch) -> tuple[float, float]:
        """Return what counts as 0 and the unit of rewards: [0, 1] as it is, else two standard deviations either way."""
        weighted = batch.weights * batch.rewards
        seen = np.array([batch.weights.sum(), weighted.sum(), (weighted * batch.rewards).sum()])
        n, total, squares = (self._rewards.sum(axis=0) + seen).tolist()
        mean = total / max(n, 1e-300)
        spread = math.sqrt(max(squares / max(n, 1e-300) - mean**2, 0.0))
        # In [0, 1] no mean of squares exceeds the mean: rewards are taken as they are.
        if bool(((batch.rewards >= 0) & (batch.rewards <= 1)).all()) and squares <= total:
            return 0.0, 1.0
        return mean - 2 * spread, 4 * spread if spread > 0 else 1.0

    def _score(self, batch: Batch, shares: Floats, chosen: Floats, scaled: Floats) -> None:
        """Credit each member with the batch, each row discounted by those after it."""
        n, total = self._rewards[:, 0], self._rewards[:, 1]
        pooled = total.sum() / n.sum() if n.sum() > 0 else 0.0
        means = np.divide(total, n, out=np.full(len(n), pooled), where=n > 0)
        ratios = np.minimum(chosen / batch.propensities, HEAVIEST)
        values = (shares * means).sum(axis=2) + ratios * (batch.rewards - means[batch.arms])
        fade = 2.0 ** (-1 / self.params["score_half_life"])
        counts = batch.weights * fade ** np.arange(len(batch) - 1, -1, -1)
        scores, kept = self._scores, fade ** len(batch)
        scores[:, _VALUE] = kept * scores[:, _VALUE] + (counts * (values - values.mean(axis=0))).sum(axis=1)
        scores[:, _SPREAD] = kept * scores[:, _SPREAD] + (counts * (values - values.mean(axis=0)) ** 2).sum(axis=1)
        mean = ((chosen - scaled) ** 2).mean(axis=1)
        scores[:, _BRIER] = kept * scores[:, _BRIER] + (1 - kept) * mean

    def _move(self, ratios: Floats, losses: Floats) -> None:
        """Move the corral's weights, row by row: 1/w' = 1/w + rate·(loss - λ), λ such that they sum to one."""
        weights = self._scores[:, _WEIGHT]
        for row in range(len(losses)):
            loss = np.minimum(ratios[:, row], HEAVIEST) * losses[row]
            low, high = loss.min(), loss.max()
            for _ in range(60):
                middle = 0.5 * (low + high)
                inverse = 1 / weights + self.params["rate"] * (loss - middle)
                if inverse.min() > 0 and (1 / inverse).sum() < 1:
                    low = middle
                else:
                    high = middle
            moved = 1 / (1 / weights + self.params["rate"] * (loss - low))
            weights[:] = np.maximum(moved / moved.sum(), 1e-9)

    def _accept(self, arrays: Arrays) -> None:
        own = {name: arrays.get(name) for name in ("scores", "rewards")}
        for name, needed in (("scores", self._scores), ("rewards", self._rewards)):
            found = own[name]
            fits = found is not None and found.shape == needed.shape and bool(np.isfinite(found).all())
            require(fits, f"the state of {self.name} must have {name} of shape {needed.shape}")
        parts = [_of(member.name, arrays) for member in self.members]
        if len(own) + sum(len(part) for part in parts) != len(arrays):
            raise InvalidInput(f"the state of {self.name} must be its own and its members', found {sorted(arrays)}")
        for member, part in zip(self.members, parts, strict=True):
            member._accept(part)
        self._scores, self._rewards = arrays["scores"], arrays["rewards"]

    def with_arms(self, arms: Arms) -> Self:
        """Return the same knowledge over another set of arms; the members' scores stay."""
        policy = copy.copy(self)
        policy.arms = arms
        policy.members = [member.with_arms(arms) for member in self.members]
        policy._scores = self._scores.copy()
        before = dict(zip(self.arms.keys, self._rewards, strict=True))
        policy._rewards = np.array([before.get(key, np.zeros(3)) for key in arms.keys])
        return policy


def _of(member: str, arrays: Arrays) -> Arrays:
    """Return one member's arrays under the names that it knows."""
    start = f"{member}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
