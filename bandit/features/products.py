"""Interactions: what a pair of attributes says together and neither says alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from types import ModuleType

import numpy as np

from bandit.features.encoders import Encoder, Number
from bandit.types import Floats, Ints
from bandit.validation import require


class Products:
    """The products of the columns of each pair of attributes, which follow all other columns.

    x_{n+p} = x_i · x_j, cut at ±LIMIT, for the p-th pair of columns (i, j): all pairs of the first attribute's columns
    with the second's, without those of what is unknown, so that the products are 0 where a value is missing.

    Parameters
    ----------
    pairs
        Pairs of attribute names; a number may be paired with itself.
    encoders
        The encoders of all attributes.

    Raises
    ------
    InvalidInput
        For a name that no attribute has, a pair that is there twice, and an attribute paired with itself that is no
        number.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], encoders: Sequence[Encoder]) -> None:
        known = {encoder.attribute.name: encoder for encoder in encoders}
        require(
            len({frozenset(pair) for pair in pairs}) == len(pairs),
            f"interactions must be distinct pairs, found {list(pairs)}",
        )
        places = [place for pair in pairs for place in _places(pair, known)]
        columns = [column for encoder in encoders for column in encoder.columns]
        self.first = len(columns)
        self.names = [f"{columns[i]}*{columns[j]}" for i, j in places]
        self._left = np.array([i for i, _ in places], dtype=np.int64)
        self._right = np.array([j for _, j in places], dtype=np.int64)

    @cached_property
    def _multiply_one(self) -> Callable[[Floats, Ints, Ints, int], None]:
        function: Callable[[Floats, Ints, Ints, int], None] = kernels().multiply_one
        return function

    def fill_one(self, row: Floats) -> None:
        """Write the products of one row behind its columns."""
        self._multiply_one(row, self._left, self._right, self.first)

    def fill(self, rows: Floats) -> None:
        """Write the products of many rows behind their columns."""
        kernels().multiply(rows, self._left, self._right, self.first)


def _places(pair: tuple[str, str], known: Mapping[str, Encoder]) -> list[tuple[int, int]]:
    for name in pair:
        require(name in known, f"interactions must pair attributes of {list(known)}, found {name!r}")
    first, second = known[pair[0]], known[pair[1]]
    require(
        first is not second or isinstance(first, Number),
        f"interactions must pair two attributes, or a number with itself, found {pair[0]!r} twice",
    )
    return [(i, j) for i in first.known for j in second.known]


def kernels() -> ModuleType:
    """Return :mod:`bandit.features.kernels`, loaded when it is first asked for."""
    return import_module("bandit.features.kernels")
