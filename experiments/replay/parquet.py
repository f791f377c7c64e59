"""Parquet logs: the project's own export, or any files with its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bandit.features import Schema
from experiments.errors import Invalid, NotFound
from experiments.replay.contexts import infer_schema, parse_contexts
from experiments.replay.decisions import METADATA, Facts, reward_column, to_log
from experiments.replay.delimited import require_columns
from experiments.replay.log import BATCH_ROWS, Log, Recorded

READ = ("unit", "time", "variant", "probability", "variants", "distribution", "analysis", "context")


def open_parquet(path: Path, *, name: str) -> Log:
    """A Parquet file, or a folder of them, as a log.

    ``variant`` and one reward column (``reward`` or ``reward_METRIC``) are required; with ``probability`` rows can be
    weighted, with ``variants`` and ``distribution`` support is checked, with ``analysis`` only such rows count. An
    export's own metadata says which metric is the objective; a foreign file may have one reward column only.

    Raises
    ------
    NotFound, Invalid
        There is no such file, it is not Parquet, or columns are missing.
    """
    files = _files(path)
    arrow = _schema(files[0])
    facts = _own_facts(arrow) or _foreign_facts(files, arrow)
    reward = reward_column(arrow.names, facts.metric)
    require_columns(files[0], arrow.names, needed=("variant", reward))
    wanted = [column for column in READ if column in arrow.names] + [reward]

    def scan(contexts: bool) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in _stream(files, [column for column in wanted if contexts or column != "context"]):
            yield to_log(batch, facts, first=first)
            first += batch.num_rows

    inferred = None if METADATA in (arrow.metadata or {}) else _infer(files, arrow)
    return facts.log(name, scan, schema=inferred)


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise NotFound(f"There is no Parquet file at {path}.", hint="Give a file or a folder of .parquet files.")
    return files


def _schema(file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except pa.ArrowInvalid as error:
        raise Invalid(f"{file} is no Parquet file: {error}.") from error


def _stream(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for file in files:
        try:
            with pq.ParquetFile(file) as reader:
                require_columns(file, reader.schema_arrow.names, needed=columns)
                yield from reader.iter_batches(batch_size=BATCH_ROWS, columns=list(columns))
        except pa.ArrowInvalid as error:
            raise Invalid(f"{file} cannot be read as Parquet: {error}.") from error


def _own_facts(arrow: pa.Schema) -> Facts | None:
    written = (arrow.metadata or {}).get(METADATA)
    return None if written is None else msgspec.json.decode(written, type=Facts)


def _foreign_facts(files: list[Path], arrow: pa.Schema) -> Facts:
    rewards = [column for column in arrow.names if column == "reward" or column.startswith("reward_")]
    require_columns(files[0], arrow.names, needed=("variant", *(() if rewards else ("reward",))))
    if len(rewards) > 1:
        raise Invalid(f"{files[0].name} has the reward columns {', '.join(rewards)}.", hint="Keep one of them.")
    return Facts(
        variants=_variants(files, arrow.names),
        metric=rewards[0].removeprefix("reward_"),
        units_repeat="unit" in arrow.names,
        recorded=_recorded(arrow.names),
    )


def _recorded(columns: list[str]) -> Recorded:
    if "probability" not in columns:
        return Recorded.NOTHING
    return Recorded.EVERY if {"variants", "distribution"} <= set(columns) else Recorded.CHOSEN


def _variants(files: list[Path], columns: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    read = [column for column in ("variant", "variants") if column in columns]
    for batch in _stream(files, read):
        if "variants" in read:
            found |= dict.fromkeys(pc.unique(batch.column("variants").flatten()).to_pylist())
        found |= dict.fromkeys(pc.unique(batch.column("variant")).to_pylist())
    if not found.keys() - {None}:
        raise Invalid(f"{files[0].name} has no rows.")
    listed = [key for key in found if key is not None]
    return tuple(listed if "variants" in read else sorted(listed))


def _infer(files: list[Path], arrow: pa.Schema) -> Schema:
    if "context" not in arrow.names:
        return infer_schema([])
    sample = next(_stream(files, ["context"]), None)
    return infer_schema([] if sample is None else parse_contexts(sample.column("context")))
