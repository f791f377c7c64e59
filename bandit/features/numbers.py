"""The short way for contexts that are nothing but numbers: all of them read, checked and scaled together."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter

import numpy as np

from bandit.features.attributes import LARGEST, LIMIT
from bandit.features.encoders import Number
from bandit.jit import kernel
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
        return row if _scale(numbers, self._columns, self._centers, self._scales, row) else None

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
        return bool(_scale_all(numbers, self._columns, self._centers, self._scales, rows))


@kernel
def _scale(numbers: Floats, columns: Ints, centers: Floats, scales: Floats, row: Floats) -> bool:
    """Write (number - center) / scale to each number's column; False where one is cut, NaN, or too large for a float.

    The bound leaves out LARGEST itself: a larger whole number may have been rounded to it.
    """
    for i in range(len(numbers)):
        value = numbers[i]
        scaled = (value - centers[i]) / scales[i]
        if not (abs(value) < LARGEST and abs(scaled) < LIMIT):
            return False
        row[columns[i]] = scaled
    return True


@kernel
def _scale_all(numbers: Floats, columns: Ints, centers: Floats, scales: Floats, rows: Floats) -> bool:
    for r in range(len(numbers)):
        if not _scale(numbers[r], columns, centers, scales, rows[r]):
            rows[: r + 1] = 0.0
            return False
    return True


_PLAIN = frozenset({float, int})
