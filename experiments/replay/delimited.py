"""CSV logs: a row a decision, with the columns ``variant`` and ``reward`` and whatever else it knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from experiments.errors import Invalid, NotFound
from experiments.replay.columns import canonical, numbered
from experiments.replay.contexts import encode_json, infer_schema
from experiments.replay.log import Log, Recorded

BLOCK_BYTES = 4 << 20
"""Bytes that are parsed at a time."""

TYPES = {
    "variant": pa.string(),
    "reward": pa.float64(),
    "probability": pa.float64(),
    "position": pa.int64(),
    "unit": pa.string(),
    "time": pa.int64(),
}
"""The columns with a meaning; every other one is an attribute of the context."""


def open_csv(path: Path, *, name: str) -> Log:
    """A CSV file as a log.

    ``variant`` (text) and ``reward`` are required. ``probability`` is the logged probability of the variant; without
    it nothing that weights rows can be estimated. ``position`` counts from 0, ``time`` is µs since 1970 UTC, rows with
    the same ``unit`` are clustered. Variants are those that occur, in the order of their names.

    Raises
    ------
    NotFound, Invalid
        There is no such file, columns are missing, or a value is not what its column holds.
    """
    columns = header(path)
    require_columns(path, columns, needed=("variant", "reward"))
    features = [column for column in columns if column not in TYPES]
    variants, positions = _census(path, columns)

    def scan(contexts: bool) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in stream(path, types=TYPES):
            yield canonical(
                numbered(first, batch.num_rows),
                unit=_column(batch, "unit"),
                time=_column(batch, "time"),
                variant=pc.index_in(batch.column("variant"), pa.array(variants)),
                position=_column(batch, "position"),
                probability=_column(batch, "probability"),
                reward=batch.column("reward"),
                context=encode_json(batch.select(features).to_pylist()) if contexts and features else None,
            )
            first += batch.num_rows

    sample = next(stream(path, types=TYPES, columns=features), None) if features else None
    return Log(
        name=name,
        variants=variants,
        metric="reward",
        recorded=Recorded.CHOSEN if "probability" in columns else Recorded.NOTHING,
        schema=infer_schema([] if sample is None else sample.slice(0, 8192).to_pylist()),
        scan=scan,
        positions=positions,
        units_repeat="unit" in columns,
    )


def stream(
    path: Path, *, types: Mapping[str, pa.DataType], columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The batches of a CSV file, a block in memory at a time.

    Raises
    ------
    NotFound, Invalid
        There is no such file, or a value is not what its column holds.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of a log.")
    try:
        with pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict(types), include_columns=columns),
        ) as reader:
            yield from (batch for batch in reader if batch.num_rows)
    except pa.ArrowInvalid as error:
        raise Invalid(f"{path.name} cannot be read as CSV: {error}.") from error


def header(path: Path) -> list[str]:
    """The names in the first line of a CSV file."""
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of a log.")
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = "".join(islice(lines, 1)).strip()
    return [column.strip().strip('"') for column in first.removeprefix("\ufeff").split(",")]


def require_columns(path: Path, found: Sequence[str], *, needed: Sequence[str]) -> None:
    """Refuse a file that lacks columns, naming them and those that it has."""
    missing = [column for column in needed if column not in found]
    if missing:
        shown = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
        raise Invalid(
            f"{path.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.",
            hint=f"Its columns are: {shown}.",
        )


def _census(path: Path, columns: Sequence[str]) -> tuple[tuple[str, ...], int]:
    variants: set[str] = set()
    positions = 1
    read = [column for column in ("variant", "position") if column in columns]
    for batch in stream(path, types=TYPES, columns=read):
        variants.update(value for value in pc.unique(batch.column("variant")).to_pylist() if value is not None)
        if "position" in read:
            positions = max(positions, int(np.nanmax(batch.column("position").to_numpy(zero_copy_only=False))) + 1)
    if not variants:
        raise Invalid(f"{path.name} has no rows.")
    return tuple(sorted(variants)), positions


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    return batch.column(name) if name in batch.schema.names else None
