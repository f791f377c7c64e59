"""What is declared of a context, and which of its values are numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from bandit.types import Floats

LIMIT = 1e6
"""Encoded numbers are cut at ±LIMIT: one wild value must not drown what was learned from the others."""

LARGEST = 2**53
"""Whole numbers beyond ±LARGEST are no numbers: floats cannot tell them from their neighbours."""


class AttributeType(StrEnum):
    """How a value of a context becomes columns."""

    CATEGORY = "category"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CYCLIC = "cyclic"
    TAGS = "tags"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One declared attribute of a context, or of the arms.

    Parameters
    ----------
    name, type
        Which value it is, and how it becomes columns.
    values
        ``category``, ``tags``: the known values, one column each; all others share the column ``other``.
    period
        ``cyclic``: the value after which it starts again, such as 24 for an hour.
    center, scale
        ``number``: the column is (value - center) / scale.
    always_known
        There is no column ``unknown``; where the value is missing all its columns are 0.
    columns
        ``text``: the number of columns that its words are hashed into, 32 when left out.
    standardize
        ``number``: center and scale are learned from the first contexts; until then the ones above hold. See
        :class:`bandit.features.Standardizer`.
    """

    name: str
    type: AttributeType
    values: tuple[str, ...] = ()
    period: float | None = None
    center: float = 0.0
    scale: float = 1.0
    always_known: bool = False
    columns: int | None = None
    standardize: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as plain data; :meth:`from_json` reads it back."""
        return asdict(self) | {"values": list(self.values)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Attribute:
        """Read what :meth:`to_json` wrote, now or before the newest fields existed.

        Raises
        ------
        TypeError, KeyError, ValueError
            Where it is not that.
        """
        return cls(**{**body, "type": AttributeType(body["type"]), "values": tuple(body["values"])})


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number that a float can hold; True and False are not numbers."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return bool(-LARGEST <= value <= LARGEST)
    return isinstance(value, np.floating | np.integer) and bool(np.isfinite(value))


def plain_numbers(values: list[Any]) -> Floats | None:
    """Return many values at once, NaN for those that :func:`is_number` refuses; None where that takes a closer look.

    >>> plain_numbers([1, None, 2.5, float("inf")]).tolist(), plain_numbers(["1"])
    ([1.0, nan, 2.5, nan], None)
    """
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return None
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        return None
    numbers[np.isinf(numbers)] = np.nan
    if int in kinds and (np.abs(numbers) >= LARGEST).any():  # rounding may have hidden that it lies beyond
        return None
    return numbers


_PLAIN = {float, int, type(None)}
