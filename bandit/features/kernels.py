"""Compiled loops over encoded rows. Loaded at the first row: numba takes longer to load than most commands take."""

from __future__ import annotations

from bandit.features.attributes import LARGEST, LIMIT
from bandit.kernels.jit import kernel
from bandit.types import Floats, Ints


@kernel
def multiply_one(row: Floats, left: Ints, right: Ints, first: int) -> None:
    """Write the products of columns ``left`` and ``right`` from column ``first`` on, cut at ±LIMIT."""
    for p in range(len(left)):
        row[first + p] = min(LIMIT, max(-LIMIT, row[left[p]] * row[right[p]]))


@kernel
def multiply(rows: Floats, left: Ints, right: Ints, first: int) -> None:
    """Do :func:`multiply_one` with each of ``rows``."""
    for r in range(len(rows)):
        multiply_one(rows[r], left, right, first)


@kernel
def scale_one(numbers: Floats, columns: Ints, centers: Floats, scales: Floats, row: Floats) -> bool:
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
def scale(numbers: Floats, columns: Ints, centers: Floats, scales: Floats, rows: Floats) -> bool:
    """Do :func:`scale_one` with each of ``rows``; all are 0 again where one is refused."""
    for r in range(len(numbers)):
        if not scale_one(numbers[r], columns, centers, scales, rows[r]):
            rows[: r + 1] = 0.0
            return False
    return True
