"""From the columns of any source to those of a log."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bandit.types import Ints
from experiments.errors import Invalid

SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # counted from 1 in the source: what error messages speak of
        pa.field("unit", pa.string()),
        pa.field("time", pa.int64()),  # µs since 1970 UTC
        pa.field("variant", pa.int32()),  # index into Log.variants
        pa.field("position", pa.int32(), nullable=False),  # slot of the page, from 0
        pa.field("probability", pa.float64()),  # logged, of the variant; null where the log has none
        pa.field("distribution", pa.list_(pa.float64())),  # logged, of every variant in order; null as above
        pa.field("reward", pa.float64()),
        pa.field("context", pa.string()),  # JSON
    ]
)


def canonical(
    numbers: Ints,
    *,
    variant: pa.Array,
    reward: pa.Array,
    unit: pa.Array | None = None,
    time: pa.Array | None = None,
    position: pa.Array | None = None,
    probability: pa.Array | None = None,
    distribution: pa.Array | None = None,
    context: pa.Array | None = None,
) -> pa.RecordBatch:
    """A batch of :data:`SCHEMA`; what the source does not know is null (its position: 0).

    Parameters
    ----------
    numbers
        (n,) the rows' numbers in the source, from 1.
    """
    rows = len(numbers)
    if position is None:
        position = pa.array(np.zeros(rows, np.int32))
    elif position.null_count:
        raise Invalid(f"A row between {numbers[0]} and {numbers[-1]} of the log has no position.")
    values = {
        "row": pa.array(numbers),
        "unit": unit,
        "time": time,
        "variant": variant,
        "position": position,
        "probability": probability,
        "distribution": distribution,
        "reward": reward,
        "context": context,
    }
    columns = [
        pa.nulls(rows, field.type) if (found := values[field.name]) is None else found.cast(field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def numbered(first: int, rows: int) -> Ints:
    """The numbers of ``rows`` rows from ``first`` on."""
    return np.arange(first, first + rows)


def align(variants: pa.Array, distributions: pa.Array, *, order: tuple[str, ...]) -> pa.Array:
    """Logged distributions over each row's own variants, as vectors over ``order``; a variant not there has 0.

    Parameters
    ----------
    variants, distributions
        List columns of the same lengths row by row.
    """
    if not variants.value_lengths().equals(distributions.value_lengths()):
        raise Invalid("A row's variants and distribution are not of the same length.", hint="Correct the log.")
    places = pc.index_in(variants.flatten(), pa.array(order)).fill_null(-1).to_numpy(zero_copy_only=False)
    if np.any(places < 0):
        raise Invalid("A row's variants hold a key that is none of the log's.", hint="Correct the log.")
    parents: Ints = pc.list_parent_indices(variants).to_numpy()
    vectors = np.zeros((len(variants), len(order)))
    vectors[parents, places] = distributions.flatten().to_numpy(zero_copy_only=False)
    offsets = np.arange(0, vectors.size + 1, len(order), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.ravel()))
