"""The few values that policies speak of: arms, and batches of rewarded decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bandit.validation import require

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Context: TypeAlias = Mapping[str, Any]
"""A flat mapping of attribute names to values, as it came from outside."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of a policy, in the order of every vector that it takes or returns.

    Parameters
    ----------
    keys
        K distinct names, stable for the life of an arm: what was learned of an arm is kept under its key.
    weights
        K positive shares, not necessarily summing to one; read by :class:`~bandit.policies.fixed.Fixed` alone.
        Equal when left out.
    attributes
        K mappings of arm features, or left out.
    """

    keys: tuple[str, ...]
    weights: tuple[float, ...] = ()
    attributes: tuple[Context, ...] = field(default=())

    def __post_init__(self) -> None:
        require(len(self.keys) > 0, "arms must not be empty")
        require(len(set(self.keys)) == len(self.keys), f"arm keys must be distinct, found {list(self.keys)}")
        if not self.weights:
            object.__setattr__(self, "weights", (1.0,) * len(self.keys))
        require(
            len(self.weights) == len(self.keys) and all(np.isfinite(w) and w > 0 for w in self.weights),
            f"weights must be {len(self.keys)} positive numbers, found {list(self.weights)}",
        )
        if not self.attributes:
            object.__setattr__(self, "attributes", ({},) * len(self.keys))
        require(
            len(self.attributes) == len(self.keys),
            f"attributes must be one mapping an arm, found {len(self.attributes)} for {len(self.keys)} arms",
        )

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rewarded decisions in the order in which they are to be learned.

    Parameters
    ----------
    contexts
        (n, d) encoded contexts, d = ``schema.width``.
    arms
        (n,) index of the chosen arm.
    rewards
        (n,) reward of the chosen arm, in the metric's unit.
    distributions
        (n, K) logged probability of every arm; each row sums to one and is positive at the chosen arm.
    times
        (n,) microseconds since 1970 UTC.
    weights
        (n,) importance of each row, 1 for a plain one.
    """

    contexts: Floats
    arms: Ints
    rewards: Floats
    distributions: Floats
    times: Ints
    weights: Floats

    def __len__(self) -> int:
        return len(self.arms)

    @property
    def propensities(self) -> Floats:
        """(n,) logged probability of the chosen arm."""
        return np.asarray(self.distributions[np.arange(len(self)), self.arms], dtype=np.float64)
