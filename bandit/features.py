"""Contexts to vectors, by a declared schema: every value, known or not, has a home."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from bandit.types import Context, Floats
from bandit.validation import InvalidInput, require

LIMIT = 1e6
"""Encoded numbers are cut at ±LIMIT: one wild value must not drown what was learned from the others."""


class AttributeType(StrEnum):
    """How a value of a context becomes columns."""

    CATEGORY = "category"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CYCLIC = "cyclic"
    TAGS = "tags"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One declared attribute of a context.

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
    """

    name: str
    type: AttributeType
    values: tuple[str, ...] = ()
    period: float | None = None
    center: float = 0.0
    scale: float = 1.0
    always_known: bool = False


class Schema:
    """The attributes of a context, and the vector that they make of it.

    >>> schema = Schema([Attribute("device", AttributeType.CATEGORY, values=("mobile",))])
    >>> schema.names
    ('device=mobile', 'device=other', 'device=unknown')
    >>> schema.encode_one({"device": "mobile"}).tolist(), schema.encode_one({"device": 3}).tolist()
    ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    """

    def __init__(self, attributes: Sequence[Attribute] = ()) -> None:
        self.attributes = tuple(attributes)
        names = [attribute.name for attribute in self.attributes]
        require(len(set(names)) == len(names), f"attribute names must be distinct, found {names}")
        self._encoders: list[_Encoder] = []
        self.width = 0
        columns: list[str] = []
        for attribute in self.attributes:
            encoder = _ENCODERS[AttributeType(attribute.type)](attribute, self.width)
            self._encoders.append(encoder)
            self.width += len(encoder.columns)
            columns += encoder.columns
        self.names = tuple(columns)
        self._writers = tuple((encoder.attribute.name, encoder.write, encoder.unknown) for encoder in self._encoders)

    @classmethod
    def numeric(cls, width: int) -> Self:
        """Return the schema of vectors that are encoded already: columns x0 ... x{width-1}."""
        return cls([Attribute(f"x{i}", AttributeType.NUMBER, always_known=True) for i in range(width)])

    def encode(self, contexts: Sequence[Context]) -> Floats:
        """Return the (n, width) vectors of ``contexts``."""
        rows = np.zeros((len(contexts), self.width))
        for row, context in zip(rows, contexts, strict=True):
            self._write(row, context)
        return rows

    def encode_one(self, context: Context) -> Floats:
        """Return the (width,) vector of one context."""
        row = np.zeros(self.width)
        self._write(row, context)
        return row

    def _write(self, row: Floats, context: Context) -> None:
        get = context.get
        for name, write, unknown in self._writers:
            value = get(name)
            if (value is None or not write(row, value)) and unknown is not None:
                row[unknown] = 1.0

    def unknown(self, context: Context) -> list[str]:
        """Return the declared attributes whose value in ``context`` has the wrong type."""
        scratch = np.zeros(self.width)
        return [
            name
            for name, write, _ in self._writers
            if (value := context.get(name)) is not None and not write(scratch, value)
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the attributes as plain data; :meth:`from_json` reads them back."""
        return [asdict(attribute) | {"values": list(attribute.values)} for attribute in self.attributes]

    @classmethod
    def from_json(cls, body: Sequence[dict[str, Any]]) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InvalidInput
            Where it is not that.
        """
        try:
            return cls(
                [
                    Attribute(**(entry | {"type": AttributeType(entry["type"]), "values": tuple(entry["values"])}))
                    for entry in body
                ]
            )
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInput(f"schema must be a list of attributes, found {body!r}: {error}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other.attributes == self.attributes

    def __hash__(self) -> int:
        return hash(self.attributes)

    def __repr__(self) -> str:
        return f"Schema({list(self.attributes)!r})"


class _Encoder(ABC):
    """The columns of one attribute, which start at ``first``."""

    def __init__(self, attribute: Attribute, first: int) -> None:
        self.attribute = attribute
        self.first = first
        self.columns = [f"{attribute.name}{suffix}" for suffix in self.suffixes()]
        self.unknown: int | None = None
        if not attribute.always_known:
            self.unknown = first + len(self.columns)
            self.columns.append(f"{attribute.name}=unknown")

    @abstractmethod
    def suffixes(self) -> list[str]:
        """Return what follows the attribute's name in the names of its columns."""

    @abstractmethod
    def write(self, row: Floats, value: Any) -> bool:
        """Write ``value`` into ``row`` and return True; return False, and write nothing, where its type is wrong."""


class _Category(_Encoder):
    def __init__(self, attribute: Attribute, first: int) -> None:
        super().__init__(attribute, first)
        _require_values(attribute)
        self.homes = {value: first + i for i, value in enumerate(attribute.values)}
        self.other = first + len(attribute.values)

    def suffixes(self) -> list[str]:
        return [f"={value}" for value in self.attribute.values] + ["=other"]

    def write(self, row: Floats, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        row[self.homes.get(value, self.other)] = 1.0
        return True


class _Tags(_Category):
    def write(self, row: Floats, value: Any) -> bool:
        if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
            return False
        for tag in value:
            row[self.homes.get(tag, self.other)] = 1.0
        return True


class _Number(_Encoder):
    def __init__(self, attribute: Attribute, first: int) -> None:
        super().__init__(attribute, first)
        require(
            math.isfinite(attribute.center) and math.isfinite(attribute.scale) and attribute.scale > 0,
            f"attribute {attribute.name}: scale must be positive and center finite, "
            f"found scale {attribute.scale!r}, center {attribute.center!r}",
        )
        self.center, self.scale = attribute.center, attribute.scale

    def suffixes(self) -> list[str]:
        return [""]

    def write(self, row: Floats, value: Any) -> bool:
        if not _is_number(value):
            return False
        row[self.first] = min(LIMIT, max(-LIMIT, (value - self.center) / self.scale))
        return True


class _Boolean(_Encoder):
    def suffixes(self) -> list[str]:
        return [""]

    def write(self, row: Floats, value: Any) -> bool:
        if not isinstance(value, bool):
            return False
        row[self.first] = value
        return True


class _Cyclic(_Encoder):
    def __init__(self, attribute: Attribute, first: int) -> None:
        super().__init__(attribute, first)
        period = attribute.period
        if period is None or not (math.isfinite(period) and period > 0):
            raise InvalidInput(f"attribute {attribute.name}: period must be positive, found {period!r}")
        self.period = period

    def suffixes(self) -> list[str]:
        return [":sin", ":cos"]

    def write(self, row: Floats, value: Any) -> bool:
        if not _is_number(value):
            return False
        angle = math.tau * (math.fmod(value, self.period) / self.period)
        row[self.first] = math.sin(angle)
        row[self.first + 1] = math.cos(angle)
        return True


_ENCODERS: dict[AttributeType, type[_Encoder]] = {
    AttributeType.CATEGORY: _Category,
    AttributeType.NUMBER: _Number,
    AttributeType.BOOLEAN: _Boolean,
    AttributeType.CYCLIC: _Cyclic,
    AttributeType.TAGS: _Tags,
}


def _is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number that a float can hold; True and False are not numbers."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return bool(-(2**53) <= value <= 2**53)
    return isinstance(value, np.floating | np.integer) and bool(np.isfinite(value))


def _require_values(attribute: Attribute) -> None:
    require(
        len(set(attribute.values)) == len(attribute.values) and "other" not in attribute.values,
        f"attribute {attribute.name}: values must be distinct, and none may be 'other', found {list(attribute.values)}",
    )
