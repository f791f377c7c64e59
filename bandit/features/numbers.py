"""The short way for contexts that are nothing but numbers: all of them read, checked and scaled together."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from operator import itemgetter

import numpy as np

from bandit.features.encoders import Number
from bandit.features.products import kernels
from bandit.types import Context, Floats, Ints

LEAST = 2
"""Numbers from which on this way is the shorter one."""


class Numbers:
    """Encodes a context in which every number is there, is plain, and lies where none is cut; refuses all others.

    Parameters
    ----------
    encoders
        The encoders of all attributes, in order: at least two.
    width
        The number of columns of a row.
    """

    def __init__(self, encoders: Sequence[Number], width: int) -> None:
        self._read = itemgetter(*[encoder.attribute.name for encoder in encoders])
        self._pack_into = struct.Struct(f"{len(encoders)}d").pack_into
        self._size = len(encoders)
        self._width = width
        self._columns = np.array([encoder.first for encoder in encoders], dtype=np.int64)
        self._centers = np.array([encoder.center for encoder in encoders])
        self._scales = np.array([encoder.scale for encoder in encoders])

    @cached_property
    def _scale_one(self) -> Callable[[Floats, Ints, Floats, Floats, Floats], bool]:
        function: Callable[[Floats, Ints, Floats, Floats, Floats], bool] = kernels().scale_one
        return function

    def encode(self, context: Context) -> Floats | None:
        """Return the row; None where it takes a closer look."""
        if type(context) is not dict:
            return None
        try:
            values = self._read(context)
            if not _PLAIN.issuperset(set(map(type, values))):
                return None
            numbers = np.empty(self._size)
            self._pack_into(numbers.data, 0, *values)
        except (KeyError, struct.error):
            return None
        row = np.zeros(self._width)
        return row if self._scale_one(numbers, self._columns, self._centers, self._scales, row) else None

    def fill(self, rows: Floats, contexts: Sequence[Context]) -> bool:
        """Write one context into each of ``rows``, which are 0; False, and nothing lasting, where one refuses."""
        if set(map(type, contexts)) != {dict}:
            return False
        try:
            values = list(chain.from_iterable(map(self._read, contexts)))
        except KeyError:
            return False
        if not _PLAIN.issuperset(set(map(type, values))):
            return False
        try:
            numbers = np.fromiter(values, np.float64, len(values)).reshape(len(contexts), self._size)
        except OverflowError:
            return False
        return bool(kernels().scale(numbers, self._columns, self._centers, self._scales, rows))


_PLAIN = frozenset({float, int})
