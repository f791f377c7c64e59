"""A context to a vector: the declared attributes side by side, and behind them their interactions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from bandit.features.attributes import Attribute, AttributeType
from bandit.features.encoders import Boolean, Category, Cyclic, Encoder, Number, Tags
from bandit.features.numbers import LEAST, Numbers
from bandit.features.products import Products
from bandit.features.words import Text
from bandit.types import Context, Floats
from bandit.validation import InvalidInput, require

BLOCK = 256
"""Rows that are encoded at once: few enough to stay near while one attribute after the other reads them."""
FEW = 4
"""Rows up to which one after the other is faster."""


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
    standards
        Center and scale of numbers that were declared with ``standardize``, once they are learned: they take the place
        of the declared ones. :meth:`bandit.features.Standardizer.freeze` makes them.

    Raises
    ------
    InvalidInput
        For what can be no schema: two attributes of one name, a scale that is not positive, a pair of unknown names.

    >>> schema = Schema([Attribute("device", AttributeType.CATEGORY, values=("mobile",))])
    >>> schema.names
    ('device=mobile', 'device=other', 'device=unknown')
    >>> schema.encode_one({"device": "mobile"}).tolist(), schema.encode_one({"device": 3}).tolist()
    ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    """

    def __init__(
        self,
        attributes: Sequence[Attribute] = (),
        *,
        interactions: Sequence[tuple[str, str]] = (),
        arms: Sequence[Attribute] = (),
        standards: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.attributes = tuple(attributes)
        self.interactions = tuple((first, second) for first, second in interactions)
        self.arms = tuple(arms)
        self.standards = dict(standards or {})
        _check(self.attributes, self.arms, self.standards)
        self._encoders = _encoders(self.attributes, self.standards)
        self._products = Products(self.interactions, self._encoders)
        self._arms = Schema(arms) if arms else None
        self.names = tuple([name for encoder in self._encoders for name in encoder.columns] + self._products.names)
        self.width = len(self.names)
        self.arm_names = () if self._arms is None else self._arms.names
        self.arm_width = len(self.arm_names)
        self._blank = [0.0] * self._products.first
        self._numbers = tuple(encoder.shortcut() for encoder in self._encoders if isinstance(encoder, Number))
        self._others = tuple((e.attribute.name, e.put) for e in self._encoders if not isinstance(e, Number))
        numbers = [encoder for encoder in self._encoders if isinstance(encoder, Number)]
        plain = len(numbers) == len(self._encoders) >= LEAST
        self._short = Numbers(numbers, self.width) if plain else None
        # Several times faster than numpy is at making an array of a list.
        self._pack_into = struct.Struct(f"{len(self._blank)}d").pack_into

    @classmethod
    def numeric(cls, width: int) -> Self:
        """Return the schema of vectors that are encoded already: columns x0 ... x{width-1}."""
        return cls([Attribute(f"x{i}", AttributeType.NUMBER, always_known=True) for i in range(width)])

    def encode(self, contexts: Sequence[Context]) -> Floats:
        """Return the (n, width) vectors of ``contexts``: the bits of :meth:`encode_one`, row by row."""
        rows = np.zeros((len(contexts), self.width))
        if len(contexts) <= FEW:
            for row, context in zip(rows, contexts, strict=True):
                row[:] = self.encode_one(context)
            return rows
        for start in range(0, len(contexts), BLOCK):
            self._fill(rows[start : start + BLOCK], contexts[start : start + BLOCK])
        if self._products.names:
            self._products.fill(rows)
        return rows

    def _fill(self, rows: Floats, contexts: Sequence[Context]) -> None:
        """Write a block of contexts into ``rows``, which are 0, without their products."""
        if self._short is not None and self._short.fill(rows, contexts):
            return
        getters = [context.get for context in contexts]
        for encoder in self._encoders:
            name = encoder.attribute.name
            encoder.fill(rows, [get(name) for get in getters])

    def encode_one(self, context: Context) -> Floats:
        """Return the (width,) vector of one context."""
        row = None if self._short is None else self._short.encode(context)
        if row is None:
            row = self._row(context)
        if self._products.names:
            self._products.fill_one(row)
        return row

    def _row(self, context: Context) -> Floats:
        """Return the row without its products, each value taken to its home."""
        row = np.empty(self.width)
        values, get = self._blank.copy(), context.get
        value: Any
        for name, column, center, scale, low, high, put in self._numbers:
            value = get(name)
            kind = type(value)
            if (kind is float or kind is int) and low <= value <= high:
                values[column] = (value - center) / scale
            else:
                put(values, value)
        for name, put in self._others:
            put(values, get(name))
        self._pack_into(row.data, 0, *values)
        return row

    def encode_arms(self, attributes: Sequence[Context]) -> Floats:
        """Return the (K, arm_width) vectors of the arms' own attributes."""
        return np.empty((len(attributes), 0)) if self._arms is None else self._arms.encode(attributes)

    def unknown(self, context: Context) -> list[str]:
        """Return the declared attributes whose value in ``context`` has the wrong type."""
        scratch = self._blank.copy()
        values = [(encoder, context.get(encoder.attribute.name)) for encoder in self._encoders]
        return [e.attribute.name for e, value in values if value is not None and not e.write(scratch, value)]

    @property
    def waiting(self) -> tuple[Attribute, ...]:
        """The numbers whose center and scale are still to be learned."""
        return tuple(a for a in self.attributes if a.standardize and a.name not in self.standards)

    def declared(self) -> Schema:
        """Return the schema as it was declared, without what was learned."""
        return Schema(self.attributes, interactions=self.interactions, arms=self.arms)

    def to_json(self) -> dict[str, Any]:
        """Return the schema as plain data; :meth:`from_json` reads it back."""
        return {
            "attributes": [attribute.to_json() for attribute in self.attributes],
            "interactions": [list(pair) for pair in self.interactions],
            "arms": [attribute.to_json() for attribute in self.arms],
            "standards": {name: list(pair) for name, pair in self.standards.items()},
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Self:
        """Read what :meth:`to_json` wrote, or a plain list of attributes.

        Raises
        ------
        InvalidInput
            Where it is not that.
        """
        whole: Mapping[str, Any] = body if isinstance(body, Mapping) else {"attributes": body}
        try:
            return cls(
                [Attribute.from_json(entry) for entry in whole["attributes"]],
                interactions=[(str(first), str(second)) for first, second in whole.get("interactions", ())],
                arms=[Attribute.from_json(entry) for entry in whole.get("arms", ())],
                standards={name: (float(c), float(s)) for name, (c, s) in whole.get("standards", {}).items()},
            )
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise InvalidInput(f"schema must hold a list of attributes, found {body!r}: {error}") from error

    def _key(self) -> tuple[object, ...]:
        return self.attributes, self.interactions, self.arms, tuple(sorted(self.standards.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        parts = [repr(list(self.attributes))]
        for name in ("interactions", "arms", "standards"):
            value = getattr(self, name)
            parts += [f"{name}={value!r}"] if value else []
        return f"Schema({', '.join(parts)})"


_ENCODERS: dict[AttributeType, Callable[[Attribute, int], Encoder]] = {
    AttributeType.CATEGORY: Category,
    AttributeType.BOOLEAN: Boolean,
    AttributeType.CYCLIC: Cyclic,
    AttributeType.TAGS: Tags,
    AttributeType.TEXT: Text,
}


def _encoders(attributes: Sequence[Attribute], standards: Mapping[str, tuple[float, float]]) -> list[Encoder]:
    encoders: list[Encoder] = []
    first = 0
    for attribute in attributes:
        kind = AttributeType(attribute.type)
        if kind is AttributeType.NUMBER:
            center, scale = standards.get(attribute.name, (attribute.center, attribute.scale))
            encoders.append(Number(attribute, first, center=center, scale=scale))
        else:
            encoders.append(_ENCODERS[kind](attribute, first))
        first += len(encoders[-1].columns)
    return encoders


def _check(
    attributes: Sequence[Attribute], arms: Sequence[Attribute], standards: Mapping[str, tuple[float, float]]
) -> None:
    names = [attribute.name for attribute in attributes]
    require(len(set(names)) == len(names), f"attribute names must be distinct, found {names}")
    for attribute in attributes:
        require(
            not attribute.standardize or attribute.type == AttributeType.NUMBER,
            f"attribute {attribute.name}: only a number can be standardized, found {attribute.type}",
        )
    for attribute in arms:
        require(
            not attribute.standardize,
            f"attribute {attribute.name}: an arm's number is not standardized, give its center and scale",
        )
    learned = {attribute.name for attribute in attributes if attribute.standardize}
    require(set(standards) <= learned, f"standards must be of numbers to standardize, found {sorted(standards)}")
