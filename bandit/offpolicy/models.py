"""Reward models q(x, a): sums of the rows, fitted in one streaming pass, merged exactly."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias

import numpy as np

from bandit.types import Floats, Ints
from bandit.validation import require

FOLDS = 5
"""Parts of a cross-fitted model; each row is modelled by the four fifths that it is not in."""


@dataclass(frozen=True, slots=True)
class Situations:
    """What a reward model may look at: n rows without their choice.

    Parameters
    ----------
    contexts
        (n, d) encoded contexts; (n, 0) where the model needs none.
    positions
        (n,) slot of the page, from 0.
    groups
        (n,) any whole number by which rows are dealt to folds; rows of one unit share it.
    """

    contexts: Floats
    positions: Ints
    groups: Ints

    def __getitem__(self, rows: Ints) -> Situations:
        return Situations(self.contexts[rows], self.positions[rows], self.groups[rows])


Predictor: TypeAlias = Callable[[Situations], Floats]
"""(n, K) modelled reward of every arm."""


class RewardModel(ABC):
    """Learns q(x, a) from logged rows. Its state is additive: ``add`` in any order, ``merge`` in any split."""

    needs_contexts: ClassVar[bool] = False

    @abstractmethod
    def add(self, situations: Situations, chosen: Ints, rewards: Floats) -> None:
        """Take in n rows: their situations, (n,) chosen arms and (n,) rewards."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Take in what ``other`` has seen."""

    @abstractmethod
    def predictor(self) -> Predictor:
        """The fitted model; later rows do not change it."""

    def wants_contexts(self) -> bool:
        """Whether ``Situations.contexts`` are read."""
        return self.needs_contexts


class Tabular(RewardModel):
    """One number a cell, drawn to the overall mean by G rows of it.

    q(a, position) = (Σ r over the cell + G·g) / (n of the cell + G), g the mean reward of the whole log.

    >>> model = Tabular(arms=2, positions=1, strength=1.0)
    >>> page = Situations(np.empty((2, 0)), np.zeros(2, int), np.zeros(2, int))
    >>> model.add(page, np.array([0, 0]), np.array([1.0, 0.0]))
    >>> model.predictor()(page)[0]
    array([0.5, 0.5])
    """

    def __init__(self, *, arms: int, positions: int, strength: float) -> None:
        require(strength > 0 and np.isfinite(strength), f"the strength of tabular:G must be positive, found {strength}")
        self.strength = strength
        self.counts = np.zeros((positions, arms))
        self.rewards = np.zeros((positions, arms))

    def add(self, situations: Situations, chosen: Ints, rewards: Floats) -> None:
        """Take in n rows."""
        np.add.at(self.counts, (situations.positions, chosen), 1.0)
        np.add.at(self.rewards, (situations.positions, chosen), rewards)

    def merge(self, other: Self) -> None:
        """Take in what ``other`` has seen."""
        self.counts += other.counts
        self.rewards += other.rewards

    def predictor(self) -> Predictor:
        """The table, looked up by position."""
        mean = _mean(self.rewards, self.counts)
        table = (self.rewards + self.strength * mean) / (self.counts + self.strength)
        return lambda situations: np.asarray(table[situations.positions])


class Ridge(RewardModel):
    """A linear model an arm, drawn to the overall mean reward.

    q(x, a) = g + z'β_a with z = (1, x) and β_a = (Σ zz' + λI)⁻¹ Σ z(r − g) over the rows of arm a, g the mean reward
    of the whole log (Hoerl and Kennard 1970). An arm without rows is worth g everywhere.
    """

    needs_contexts = True

    def __init__(self, *, arms: int, width: int, penalty: float = 1.0) -> None:
        require(penalty > 0 and np.isfinite(penalty), f"the penalty of ridge:L must be positive, found {penalty}")
        self.penalty = penalty
        self.products = np.zeros((arms, width + 1, width + 1))
        self.rewards = np.zeros((arms, width + 1))

    def add(self, situations: Situations, chosen: Ints, rewards: Floats) -> None:
        """Take in n rows."""
        features = _with_intercept(situations.contexts)
        for arm in np.unique(chosen):
            rows = features[chosen == arm]
            self.products[arm] += rows.T @ rows
            self.rewards[arm] += rows.T @ rewards[chosen == arm]

    def merge(self, other: Self) -> None:
        """Take in what ``other`` has seen."""
        self.products += other.products
        self.rewards += other.rewards

    def predictor(self) -> Predictor:
        """The linear models, solved."""
        # Column 0 is the intercept's: it holds the counts, the sums of the rewards and the sums of z.
        mean = _mean(self.rewards[:, 0], self.products[:, 0, 0])
        centred = self.rewards - mean * self.products[:, 0, :]
        penalty = self.penalty * np.eye(self.products.shape[1])
        slopes = np.linalg.solve(self.products + penalty, centred[:, :, None])[:, :, 0]
        return lambda situations: np.asarray(mean + _with_intercept(situations.contexts) @ slopes.T)


class CrossFit(RewardModel):
    """Another model, fitted so that no row is modelled by itself.

    Row i belongs to fold ``groups[i] mod 5`` and is modelled by the sums of the other folds, which makes DR's errors
    of q and of the row independent (Chernozhukov et al. 2018). Sums can be added, so it costs one pass, not five.
    """

    def __init__(self, model: RewardModel) -> None:
        self.folds = [copy.deepcopy(model) for _ in range(FOLDS)]

    def add(self, situations: Situations, chosen: Ints, rewards: Floats) -> None:
        """Take in n rows."""
        for fold, rows in _deal(situations.groups):
            self.folds[fold].add(situations[rows], chosen[rows], rewards[rows])

    def merge(self, other: Self) -> None:
        """Take in what ``other`` has seen."""
        for mine, theirs in zip(self.folds, other.folds, strict=True):
            mine.merge(theirs)

    def predictor(self) -> Predictor:
        """Each fold's rows by the model of the other folds."""
        predictors = [self._without(fold).predictor() for fold in range(FOLDS)]

        def predict(situations: Situations) -> Floats:
            parts = [(rows, predictors[fold](situations[rows])) for fold, rows in _deal(situations.groups)]
            modelled = np.empty((len(situations.positions), parts[0][1].shape[1]))
            for rows, part in parts:
                modelled[rows] = part
            return modelled

        return predict

    def wants_contexts(self) -> bool:
        """As the model inside."""
        return self.folds[0].wants_contexts()

    def _without(self, left_out: int) -> RewardModel:
        first, *others = (model for fold, model in enumerate(self.folds) if fold != left_out)
        merged = copy.deepcopy(first)
        for other in others:
            merged.merge(other)
        return merged


def reward_model(spec: str, *, arms: int, positions: int, width: int) -> RewardModel:
    """The reward model of a name: ``tabular:G``, ``ridge``, ``ridge:L``, ``crossfit:MODEL``.

    Raises
    ------
    InvalidInput
        When there is no such model, or its number is not positive.
    """
    name, _, rest = spec.partition(":")
    if name == "crossfit":
        return CrossFit(reward_model(rest or "ridge", arms=arms, positions=positions, width=width))
    if name == "tabular":
        return Tabular(arms=arms, positions=positions, strength=_number(rest, spec, default=10.0))
    if name == "ridge":
        return Ridge(arms=arms, width=width, penalty=_number(rest, spec, default=1.0))
    require(False, f"no reward model {spec!r}; there are tabular:G, ridge, ridge:L and crossfit:MODEL")
    raise AssertionError


def _number(text: str, spec: str, *, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        require(False, f"what follows the colon of a reward model must be a number, found {spec!r}")
        raise


def _mean(total: Floats, counts: Floats) -> float:
    rows = counts.sum()
    require(bool(rows > 0), "a reward model must see rows before it is used")
    return float(total.sum() / rows)


def _with_intercept(contexts: Floats) -> Floats:
    return np.hstack([np.ones((len(contexts), 1)), contexts])


def _deal(groups: Ints) -> list[tuple[int, Ints]]:
    fold = groups % FOLDS
    return [(number, np.flatnonzero(fold == number)) for number in range(FOLDS) if np.any(fold == number)]
