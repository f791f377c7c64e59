"""One attribute's value to its columns: one row at a time, and a block of rows at once, with the same bits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, MutableSequence
from typing import Any, TypeAlias

import numpy as np

from bandit.features.attributes import LARGEST, LIMIT, Attribute, is_number, plain_numbers
from bandit.types import Bools, Floats
from bandit.validation import InvalidInput, require

Row: TypeAlias = MutableSequence[float] | Floats
"""A list, which Python fills several times faster than an array, or a row of an array."""

Shortcut: TypeAlias = tuple[str, int, float, float, float, float, Callable[[list[float], Any], None]]
"""Name, column, center, scale, the least and the largest value that are not cut, and what takes all others."""


class Encoder(ABC):
    """The columns of one attribute, which start at ``first``."""

    def __init__(self, attribute: Attribute, first: int) -> None:
        self.attribute = attribute
        self.first = first
        self.columns = [f"{attribute.name}{suffix}" for suffix in self.suffixes()]
        self.known = range(first, first + len(self.columns))
        """All columns but the one of what is unknown."""
        self.unknown: int | None = None
        if not attribute.always_known:
            self.unknown = first + len(self.columns)
            self.columns.append(f"{attribute.name}=unknown")

    @abstractmethod
    def suffixes(self) -> list[str]:
        """Return what follows the attribute's name in the names of its columns."""

    def put(self, row: Row, value: Any) -> None:
        """Write ``value`` into ``row``, to where it is at home: also what is missing or has the wrong type."""
        if (value is None or not self.write(row, value)) and self.unknown is not None:
            row[self.unknown] = 1.0

    @abstractmethod
    def write(self, row: Row, value: Any) -> bool:
        """Write ``value`` into ``row`` and return True; return False, and write nothing, where its type is wrong."""

    def fill(self, rows: Floats, values: list[Any]) -> None:
        """Write one value into each of ``rows``, which are 0: what :meth:`put` writes, bit for bit."""
        for row, value in zip(rows, values, strict=True):
            self.put(row, value)

    def _mark_unknown(self, rows: Floats, where: Bools) -> None:
        if self.unknown is not None:
            rows[where, self.unknown] = 1.0


class Category(Encoder):
    """A column for each known value, and one for all others."""

    def __init__(self, attribute: Attribute, first: int) -> None:
        super().__init__(attribute, first)
        _require_values(attribute)
        self.homes = {value: first + i for i, value in enumerate(attribute.values)}
        self.other = first + len(attribute.values)

    def suffixes(self) -> list[str]:
        """Return the values, and ``other``."""
        return [f"={value}" for value in self.attribute.values] + ["=other"]

    def write(self, row: Row, value: Any) -> bool:
        """Write 1 to the home of ``value``."""
        if not isinstance(value, str):
            return False
        row[self.homes.get(value, self.other)] = 1.0
        return True

    def fill(self, rows: Floats, values: list[Any]) -> None:
        """Look up all homes first."""
        if not set(map(type, values)) <= _WORDS:
            super().fill(rows, values)
            return
        missing = -1 if self.unknown is None else self.unknown
        homes, other = self.homes, self.other
        places = np.array([missing if v is None else homes.get(v, other) for v in values], dtype=np.intp)
        found = np.flatnonzero(places >= 0)
        rows[found, places[found]] = 1.0


class Tags(Category):
    """A column for each known tag, and one for all others: as many as a value has are 1."""

    def write(self, row: Row, value: Any) -> bool:
        """Write 1 to the home of every tag."""
        if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
            return False
        for tag in value:
            row[self.homes.get(tag, self.other)] = 1.0
        return True

    def fill(self, rows: Floats, values: list[Any]) -> None:
        """Go row by row: lists have nothing to look up at once."""
        Encoder.fill(self, rows, values)


class Number(Encoder):
    """One column: (value - center) / scale."""

    def __init__(self, attribute: Attribute, first: int, *, center: float, scale: float) -> None:
        super().__init__(attribute, first)
        require(
            math.isfinite(center) and math.isfinite(scale) and scale > 0,
            f"attribute {attribute.name}: scale must be positive and center finite, "
            f"found scale {scale!r}, center {center!r}",
        )
        self.center, self.scale = center, scale

    def shortcut(self) -> Shortcut:
        """Return what :meth:`put` needs to know of a plain number that lies where neither cut applies."""
        reach = 0.5 * LIMIT * self.scale
        low, high = max(-LARGEST, self.center - reach), min(LARGEST, self.center + reach)
        return self.attribute.name, self.first, self.center, self.scale, low, high, self.put

    def suffixes(self) -> list[str]:
        """Return the one column, named as the attribute is."""
        return [""]

    def write(self, row: Row, value: Any) -> bool:
        """Write the number, cut."""
        if not is_number(value):
            return False
        row[self.first] = min(LIMIT, max(-LIMIT, (float(value) - self.center) / self.scale))
        return True

    def fill(self, rows: Floats, values: list[Any]) -> None:
        """Subtract, divide and cut all at once."""
        numbers = plain_numbers(values)
        if numbers is None:
            super().fill(rows, values)
            return
        unknown = np.isnan(numbers)
        with np.errstate(over="ignore"):
            column = np.clip((numbers - self.center) / self.scale, -LIMIT, LIMIT)
        column[unknown] = 0.0
        rows[:, self.first] = column
        self._mark_unknown(rows, unknown)


class Boolean(Encoder):
    """One column: 1 for True."""

    def suffixes(self) -> list[str]:
        """Return the one column, named as the attribute is."""
        return [""]

    def write(self, row: Row, value: Any) -> bool:
        """Write 1 for True, 0 for False."""
        if not isinstance(value, bool):
            return False
        row[self.first] = float(value)
        return True

    def fill(self, rows: Floats, values: list[Any]) -> None:
        """Compare all at once."""
        rows[:, self.first] = [value is True for value in values]
        if self.unknown is not None:
            rows[:, self.unknown] = [value is not True and value is not False for value in values]


class Cyclic(Encoder):
    """Two columns: sine and cosine of 2π·value / period, so that the end of a day lies beside its beginning."""

    def __init__(self, attribute: Attribute, first: int) -> None:
        super().__init__(attribute, first)
        period = attribute.period
        if period is None or not (math.isfinite(period) and period > 0):
            raise InvalidInput(f"attribute {attribute.name}: period must be positive, found {period!r}")
        self.period = period

    def suffixes(self) -> list[str]:
        """Return the two columns."""
        return [":sin", ":cos"]

    def write(self, row: Row, value: Any) -> bool:
        """Write sine and cosine."""
        if not is_number(value):
            return False
        angle = math.tau * (math.fmod(value, self.period) / self.period)
        row[self.first] = math.sin(angle)
        row[self.first + 1] = math.cos(angle)
        return True

    def fill(self, rows: Floats, values: list[Any]) -> None:
        """Turn all to angles at once; ``math`` and numpy differ in the last bit of a sine, so ``math`` takes them."""
        numbers = plain_numbers(values)
        if numbers is None:
            super().fill(rows, values)
            return
        unknown = np.isnan(numbers)
        numbers[unknown] = 0.0
        angles = (math.tau * (np.fmod(numbers, self.period) / self.period)).tolist()
        rows[:, self.first] = list(map(math.sin, angles))
        rows[:, self.first + 1] = list(map(math.cos, angles))
        rows[unknown, self.first + 1] = 0.0
        self._mark_unknown(rows, unknown)


_WORDS = {str, type(None)}


def _require_values(attribute: Attribute) -> None:
    require(
        len(set(attribute.values)) == len(attribute.values) and "other" not in attribute.values,
        f"attribute {attribute.name}: values must be distinct, and none may be 'other', found {list(attribute.values)}",
    )
