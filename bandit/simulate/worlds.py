"""Worlds with a known truth: contexts in file order, and the expected reward of every arm in each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from bandit.types import Floats, Ints
from bandit.validation import require

DIGIT_ROUNDS = 20_000
DIGIT_SEED = 12345
SHIFT_ROUND = 10_000
SHIFT_ARMS = 3


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Rounds whose truth is known.

    Parameters
    ----------
    name
        What it is called in reports.
    contexts
        (n, d) context of each round, without an intercept: policies add it.
    expected_rewards
        (n, K) probability that each arm is rewarded in each round.
    """

    name: str
    contexts: Floats
    expected_rewards: Floats

    def __post_init__(self) -> None:
        for name, array in (("contexts", self.contexts), ("expected_rewards", self.expected_rewards)):
            require(array.ndim == 2, f"{name} must have two dimensions, found {array.ndim}")
            require(bool(np.all(np.isfinite(array))), f"{name} must be finite")
        rounds = len(self.contexts)
        require(rounds > 0, "a world must have rounds")
        require(
            len(self.expected_rewards) == rounds and self.expected_rewards.shape[1] > 0,
            f"expected_rewards must be ({rounds}, K), found {self.expected_rewards.shape}",
        )
        low, high = self.expected_rewards.min(), self.expected_rewards.max()
        require(bool(low >= 0 and high <= 1), f"expected_rewards must be in [0, 1], found {low} to {high}")

    def __len__(self) -> int:
        return len(self.contexts)

    @property
    def arms(self) -> int:
        """K."""
        return int(self.expected_rewards.shape[1])


def digits() -> World:
    """Handwritten digits: the context is an image, the arm of its label is rewarded, the others never.

    20,000 draws with replacement from the 1,797 images of Alpaydin and Kaynak's optical recognition data (UCI, 1998),
    64 pixels in [0, 1].

    >>> world = digits()
    >>> world.contexts.shape, world.expected_rewards.sum(axis=1).max()
    ((20000, 64), np.float64(1.0))
    """
    contexts, labels = _digits()
    return World("digits", contexts, _one_hot(labels))


def shift() -> World:
    """:func:`digits`, but from round 10,000 on the rewarded arm is the one three further."""
    contexts, labels = _digits()
    moved = labels.copy()
    moved[SHIFT_ROUND:] = (labels[SHIFT_ROUND:] + SHIFT_ARMS) % 10
    return World("shift", contexts, _one_hot(moved))


def _digits() -> tuple[Floats, Ints]:
    # The one file that this package reads: it is part of the package.
    with (files("bandit.simulate") / "digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as data:
        pixels, labels = data["pixels"], data["labels"]
    rows = np.random.default_rng(DIGIT_SEED).integers(0, len(labels), DIGIT_ROUNDS)
    return pixels[rows] / 16.0, labels[rows].astype(np.int64)


def _one_hot(labels: Ints) -> Floats:
    return np.asarray(np.eye(10)[labels])
