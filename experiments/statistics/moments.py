"""The sums that all inference starts from, and the estimate of a mean that they give."""

from __future__ import annotations

import math
from dataclasses import dataclass

EQUAL = 1e-10
"""A variance below this share of the mean square is rounding: the values are taken as equal."""
MIN_ROWS = 100
"""Under so many rows asymptotics are not trusted."""
N_STAR = 10_000
"""The row count at which sequences are tightest unless an experiment plans another."""


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no number to show; ``reason`` says what is missing, ready to follow 'not shown: '."""

    reason: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated mean: its value, its squared standard error and the number of rows behind it."""

    value: float
    variance: float
    rows: int

    @property
    def standard_error(self) -> float:
        """The standard error, in the unit of the value."""
        return math.sqrt(self.variance)


@dataclass(frozen=True, slots=True)
class Moments:
    """The number of rows, the sum and the sum of squares of one metric: adding two adds their rows.

    Parameters
    ----------
    rows
        n, how many values.
    total
        S, their sum.
    squares
        Q, the sum of their squares.
    nonzero
        How many of them are not zero.

    Examples
    --------
    >>> Moments(rows=2, total=1.0, squares=1.0, nonzero=1) + Moments.binary(rows=2, conversions=2)
    Moments(rows=4, total=3.0, squares=3.0, nonzero=3)
    """

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0
    nonzero: int = 0

    @classmethod
    def binary(cls, *, rows: int, conversions: int) -> Moments:
        """The moments of ``conversions`` ones among ``rows`` zeros and ones."""
        return cls(rows=rows, total=float(conversions), squares=float(conversions), nonzero=conversions)

    @classmethod
    def of_sums(cls, rows: int, total: float, squares: float) -> Moments:
        """The moments of which only the sums are known: S = Q of none but zeros and ones (or of no rows at all).

        How many values are not zero is not known of other values: all, unless Q is 0.
        """
        if total == squares and 0 <= total <= rows and total == int(total):
            return cls(rows, float(total), float(squares), int(total))
        return cls(rows, float(total), float(squares), rows)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            rows=self.rows + other.rows,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            nonzero=self.nonzero + other.nonzero,
        )

    @property
    def mean(self) -> float | None:
        """S/n, or None without rows."""
        return self.total / self.rows if self.rows > 0 else None

    @property
    def is_binary(self) -> bool:
        """Whether every value is 0 or 1: then S = Q = the number of ones."""
        return self.total == self.squares == self.nonzero

    @property
    def variance(self) -> float | None:
        """p(1 − p) of zeros and ones, else (Q − S²/n)/(n − 1); None below two rows."""
        if self.rows < 2:
            return None
        if self.is_binary:
            return self.total / self.rows * (1 - self.total / self.rows)
        spread = self.squares - self.total / self.rows * self.total
        return spread / (self.rows - 1) if spread > EQUAL * self.squares else 0.0

    def estimate(self) -> Estimate | Missing:
        """The mean with its squared standard error s²/n, or what keeps it from having one."""
        if not math.isfinite(self.total + self.squares):
            return Missing("the sums are not finite numbers")
        variance = self.variance
        if variance is None:
            return Missing("no rows have matured yet" if self.rows == 0 else "one row says nothing of the spread")
        if variance == 0:
            return Missing("no conversions yet" if self.nonzero == 0 else "all values are equal")
        return Estimate(value=self.total / self.rows, variance=variance / self.rows, rows=self.rows)
