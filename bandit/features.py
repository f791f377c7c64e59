"""Contexts to vectors, by a declared schema: every value, known or not, has a home."""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self, TypeAlias

import numpy as np

from bandit.types import Context, Floats
from bandit.validation import InvalidInput, require

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

    Parameters
    ----------
    attributes
        The declared attributes of a context.
    interactions
        Pairs of their names: each pair adds the products of its attributes' columns, the ``unknown`` ones left out, so
        that they are 0 where a value is missing. A number may be paired with itself: its square.
    arms
        The declared attributes of the arms, which :meth:`encode_arms` reads.

    >>> schema = Schema([Attribute("device", AttributeType.CATEGORY, values=("mobile",))])
    >>> schema.names
    ('device=mobile', 'device=other', 'device=unknown')
    >>> schema.encode_one({"device": "mobile"}).tolist(), schema.encode_one({"device": 3}).tolist()
    ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    """

    width: int

    def __init__(
        self,
        attributes: Sequence[Attribute] = (),
        *,
        interactions: Sequence[tuple[str, str]] = (),
        arms: Sequence[Attribute] = (),
    ) -> None:
        self.attributes = tuple(attributes)
        self.arms = tuple(arms)
        self.interactions = tuple((first, second) for first, second in interactions)
        self._arms = Schema(arms) if arms else None
        self.arm_width = 0 if self._arms is None else self._arms.width
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
        self._blank = [0.0] * self.width
        self._products = self._pairs()
        columns += [f"{columns[i]}*{columns[j]}" for i, j in self._products]
        self.names = tuple(columns)
        self.width = len(columns)
        self._numbers = tuple(encoder.shortcut() for encoder in self._encoders if isinstance(encoder, _Number))
        self._others = tuple((e.attribute.name, e.put) for e in self._encoders if not isinstance(e, _Number))
        # Several times faster than numpy is at making an array of a list.
        self._pack_into = struct.Struct(f"{self.width}d").pack_into

    @classmethod
    def numeric(cls, width: int) -> Self:
        """Return the schema of vectors that are encoded already: columns x0 ... x{width-1}."""
        return cls([Attribute(f"x{i}", AttributeType.NUMBER, always_known=True) for i in range(width)])

    def encode(self, contexts: Sequence[Context]) -> Floats:
        """Return the (n, width) vectors of ``contexts``."""
        rows = np.empty((len(contexts), self.width))
        for i, context in enumerate(contexts):
            self._pack_into(rows.data, i * rows.strides[0], *self._values(context))
        return rows

    def encode_one(self, context: Context) -> Floats:
        """Return the (width,) vector of one context."""
        row = np.empty(self.width)
        self._pack_into(row.data, 0, *self._values(context))
        return row

    def _values(self, context: Context) -> list[float]:
        """Return the row of ``context`` as a list, which Python fills several times faster than an array."""
        row, get = self._blank.copy(), context.get
        value: Any
        for name, column, center, scale, low, high, put in self._numbers:
            value = get(name)
            kind = type(value)
            if (kind is float or kind is int) and low <= value <= high:
                row[column] = (value - center) / scale
            else:
                put(row, value)
        for name, put in self._others:
            put(row, get(name))
        if self._products:
            row += [min(LIMIT, max(-LIMIT, row[i] * row[j])) for i, j in self._products]
        return row

    def _pairs(self) -> list[tuple[int, int]]:
        """Return the columns that are multiplied with one another."""
        known = {encoder.attribute.name: encoder for encoder in self._encoders}
        require(
            len({frozenset(pair) for pair in self.interactions}) == len(self.interactions),
            f"interactions must be distinct pairs, found {list(self.interactions)}",
        )
        products: list[tuple[int, int]] = []
        for pair in self.interactions:
            for name in pair:
                require(name in known, f"interactions must pair attributes of {list(known)}, found {name!r}")
            first, second = known[pair[0]], known[pair[1]]
            require(
                first is not second or isinstance(first, _Number),
                f"interactions must pair two attributes, or a number with itself, found {pair[0]!r} twice",
            )
            products += [(i, j) for i in first.places() for j in second.places()]
        return products

    def encode_arms(self, attributes: Sequence[Context]) -> Floats:
        """Return the (K, arm_width) vectors of the arms' own attributes."""
        return np.empty((len(attributes), 0)) if self._arms is None else self._arms.encode(attributes)

    def unknown(self, context: Context) -> list[str]:
        """Return the declared attributes whose value in ``context`` has the wrong type."""
        scratch = self._blank.copy()
        values = [(encoder, context.get(encoder.attribute.name)) for encoder in self._encoders]
        return [e.attribute.name for e, value in values if value is not None and not e.write(scratch, value)]

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as plain data; :meth:`from_json` reads it back."""
        return {
            "attributes": [_plain(attribute) for attribute in self.attributes],
            "interactions": [list(pair) for pair in self.interactions],
            "arms": [_plain(attribute) for attribute in self.arms],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Self:
        """Read what :meth:`to_json` wrote, or a plain list of attributes.

        Raises
        ------
        InvalidInput
            Where it is not that.
        """
        try:
            if not isinstance(body, Mapping):
                return cls(_attributes(body))
            pairs = [(str(first), str(second)) for first, second in body["interactions"]]
            return cls(_attributes(body["attributes"]), interactions=pairs, arms=_attributes(body["arms"]))
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInput(f"schema must hold a list of attributes, found {body!r}: {error}") from error

    def _declared(self) -> tuple[object, ...]:
        return self.attributes, self.interactions, self.arms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other._declared() == self._declared()

    def __hash__(self) -> int:
        return hash(self._declared())

    def __repr__(self) -> str:
        return f"Schema({list(self.attributes)!r}, interactions={list(self.interactions)!r}, arms={list(self.arms)!r})"


def _plain(attribute: Attribute) -> dict[str, Any]:
    return asdict(attribute) | {"values": list(attribute.values)}


def _attributes(body: Sequence[Mapping[str, Any]]) -> list[Attribute]:
    return [
        Attribute(**{**entry, "type": AttributeType(entry["type"]), "values": tuple(entry["values"])}) for entry in body
    ]


_Shortcut: TypeAlias = tuple[str, int, float, float, float, float, Callable[[list[float], Any], None]]
"""Name, column, center, scale, the least and the largest value that are not cut, and what takes all others."""


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

    def places(self) -> range:
        """Return the columns without the ``unknown`` one."""
        return range(self.first, self.first + len(self.suffixes()))

    def put(self, row: list[float], value: Any) -> None:
        """Write ``value`` into ``row``, to where it is at home: also what is missing or has the wrong type."""
        if (value is None or not self.write(row, value)) and self.unknown is not None:
            row[self.unknown] = 1.0

    @abstractmethod
    def write(self, row: list[float], value: Any) -> bool:
        """Write ``value`` into ``row`` and return True; return False, and write nothing, where its type is wrong."""


class _Category(_Encoder):
    def __init__(self, attribute: Attribute, first: int) -> None:
        super().__init__(attribute, first)
        _require_values(attribute)
        self.homes = {value: first + i for i, value in enumerate(attribute.values)}
        self.other = first + len(attribute.values)

    def suffixes(self) -> list[str]:
        return [f"={value}" for value in self.attribute.values] + ["=other"]

    def write(self, row: list[float], value: Any) -> bool:
        if not isinstance(value, str):
            return False
        row[self.homes.get(value, self.other)] = 1.0
        return True


class _Tags(_Category):
    def write(self, row: list[float], value: Any) -> bool:
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

    def shortcut(self) -> _Shortcut:
        """Return what :meth:`put` needs to know of a plain number that lies where neither cut applies."""
        reach = 0.5 * LIMIT * self.scale
        low, high = max(-LARGEST, self.center - reach), min(LARGEST, self.center + reach)
        return self.attribute.name, self.first, self.center, self.scale, low, high, self.put

    def suffixes(self) -> list[str]:
        return [""]

    def write(self, row: list[float], value: Any) -> bool:
        if not _is_number(value):
            return False
        row[self.first] = min(LIMIT, max(-LIMIT, (value - self.center) / self.scale))
        return True


class _Boolean(_Encoder):
    def suffixes(self) -> list[str]:
        return [""]

    def write(self, row: list[float], value: Any) -> bool:
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

    def write(self, row: list[float], value: Any) -> bool:
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
        return bool(-LARGEST <= value <= LARGEST)
    return isinstance(value, np.floating | np.integer) and bool(np.isfinite(value))


def _require_values(attribute: Attribute) -> None:
    require(
        len(set(attribute.values)) == len(attribute.values) and "other" not in attribute.values,
        f"attribute {attribute.name}: values must be distinct, and none may be 'other', found {list(attribute.values)}",
    )
