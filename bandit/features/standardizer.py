"""Centers and scales of numbers, learned as sums, which are frozen before anything is learned on top of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from bandit.features.attributes import Attribute
from bandit.features.schema import Schema
from bandit.types import Context, Floats, Ints
from bandit.validation import require

SAME = 1e-12
"""A variance below this share of the squared mean is rounding: the number was always the same."""


class Standardizer:
    """Learns the center and the scale of every number that a schema declares with ``standardize``.

    center = c + s·m, scale = s·√(q/n - m²), m = p/n

    n: how often the number was known; p and q: the sums of x and of x², x = (value - c) / s, cut at ±LIMIT as always,
    with the declared center c and scale s. The sums of parts add up to the sums of the whole. A number that was known
    less than twice, or was always the same, keeps its declared center and scale.

    A policy's coefficients belong to the columns that they were learned from. So nothing moves under a policy: whoever
    has the rows adds the first of them here, calls :meth:`freeze`, and learns them, and all later ones, with the schema
    that comes out. The server does so with an experiment's first rows.

    It misleads where the first rows are unlike the later ones: then the columns are not standardized, though still
    right.

    Parameters
    ----------
    schema
        The schema as it was declared.

    >>> from bandit.features import Attribute, AttributeType
    >>> price = Attribute("price", AttributeType.NUMBER, standardize=True)
    >>> standardizer = Standardizer(Schema([price]))
    >>> standardizer.add([{"price": 10.0}, {"price": 30.0}, {"price": None}])
    >>> standardizer.freeze().encode_one({"price": 40.0}).tolist()
    [2.0, 0.0]
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema.declared()
        self._numbers = [replace(a, always_known=False, standardize=False) for a in self.schema.waiting]
        self._plain = Schema(self._numbers)
        self.names = tuple(number.name for number in self._numbers)
        """The numbers, in the order of the sums."""
        self.counts: Ints = np.zeros(len(self._numbers), dtype=np.int64)
        self.sums: Floats = np.zeros(len(self._numbers))
        self.squares: Floats = np.zeros(len(self._numbers))

    def add(self, contexts: Sequence[Context]) -> None:
        """Add what ``contexts`` say of the numbers."""
        rows = self._plain.encode(contexts)
        values, unknown = rows[:, 0::2], rows[:, 1::2]
        self.counts += np.count_nonzero(unknown == 0, axis=0)
        self.sums += values.sum(axis=0)
        self.squares += (values * values).sum(axis=0)

    def merge(self, other: Standardizer) -> Self:
        """Add the sums of ``other``, and return this one.

        Raises
        ------
        InvalidInput
            Where they are of another schema.
        """
        require(other.schema == self.schema, f"sums of {other.schema!r} cannot be added to those of {self.schema!r}")
        self.counts += other.counts
        self.sums += other.sums
        self.squares += other.squares
        return self

    def freeze(self) -> Schema:
        """Return the schema with the centers and scales that the sums say."""
        learned = {number.name: self._learned(i, number) for i, number in enumerate(self._numbers)}
        return Schema(
            self.schema.attributes, interactions=self.schema.interactions, arms=self.schema.arms, standards=learned
        )

    def _learned(self, i: int, number: Attribute) -> tuple[float, float]:
        count = max(int(self.counts[i]), 1)
        mean = float(self.sums[i]) / count
        variance = float(self.squares[i]) / count - mean * mean
        if variance <= SAME * mean * mean:
            return number.center, number.scale
        center, scale = number.center + number.scale * mean, number.scale * math.sqrt(variance)
        usable = math.isfinite(center) and 0 < scale < math.inf
        return (center, scale) if usable else (number.center, number.scale)
