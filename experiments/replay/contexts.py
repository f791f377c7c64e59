"""Contexts of logs: JSON text to vectors, and a schema for logs that declare none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from bandit.features import Attribute, AttributeType, Schema
from bandit.types import Context, Floats
from experiments.errors import Invalid
from experiments.model import ContextValue

KNOWN_VALUES = 50
"""Categories that an inferred attribute tells apart; rarer ones share the schema's home for the unknown."""

_decoder = msgspec.json.Decoder(dict[str, ContextValue])
_encoder = msgspec.json.Encoder()


def encode_json(contexts: Iterable[Context]) -> pa.Array:
    """The ``context`` column of a log."""
    return pa.array([_encoder.encode(context).decode() for context in contexts], pa.string())


def parse_contexts(column: pa.Array) -> list[Context]:
    """The contexts of a ``context`` column; a missing one is empty.

    Raises
    ------
    Invalid
        A context is not a flat JSON object.
    """
    try:
        return [_decoder.decode(text) if text else {} for text in column.to_pylist()]
    except msgspec.DecodeError as error:
        raise Invalid(f"A context of the log is not a flat JSON object: {error}.") from error


def decode_contexts(column: pa.Array, schema: Schema) -> Floats:
    """(n, d) vectors of a ``context`` column."""
    if schema.width == 0:
        return np.empty((len(column), 0))
    return schema.encode(parse_contexts(column))


def infer_schema(contexts: Sequence[Context]) -> Schema:
    """A schema from a sample of contexts: what is a number, a boolean, a category or a list of tags, judged by name.

    Numbers are centred and scaled by the sample. An attribute of mixed types is a category.
    """
    values: dict[str, list[ContextValue]] = {}
    for context in contexts:
        for name, value in context.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return Schema([_attribute(name, seen) for name, seen in values.items()])


def _attribute(name: str, values: list[ContextValue]) -> Attribute:
    if all(isinstance(value, bool) for value in values):
        return Attribute(name=name, type=AttributeType.BOOLEAN)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, dtype=np.float64)
        return Attribute(
            name=name, type=AttributeType.NUMBER, center=float(numbers.mean()), scale=float(numbers.std()) or 1.0
        )
    if all(isinstance(value, list) for value in values):
        tags = [tag for value in values if isinstance(value, list) for tag in value]
        return Attribute(name=name, type=AttributeType.TAGS, values=_commonest(tags))
    return Attribute(
        name=name, type=AttributeType.CATEGORY, values=_commonest([v for v in values if isinstance(v, str)])
    )


def _commonest(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(value for value, _ in Counter(values).most_common(KNOWN_VALUES)))
