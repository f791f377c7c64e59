"""The store's log: read as it is, or written to Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.errors import Conflict
from experiments.model import Experiment
from experiments.replay.decisions import Facts, decision_schema, to_batch, to_log
from experiments.replay.log import BATCH_ROWS, Log
from experiments.store import Store


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    experiment: str
    rows: int
    file: str


def open_stored(key: str, *, store: Store) -> Log:
    """The log of an experiment in the store.

    Raises
    ------
    NotFound
        There is no such experiment.
    """
    experiment = store.experiment(key)
    facts = _facts(store, experiment)

    def scan(_contexts: bool) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in _decisions(store, experiment, facts):
            yield to_log(batch, facts, first=first)
            first += batch.num_rows

    return facts.log(f"store:{key}", scan)


def export(store: Store, key: str, folder: Path) -> Export:
    """Write every decision of an experiment, with its rewards, to ``folder/KEY.parquet``.

    The file appears under its name only when it is complete; a batch at a time is in memory.

    Raises
    ------
    NotFound
        There is no such experiment.
    Conflict
        The folder holds Parquet files already, which would be read together with this one.
    """
    experiment = store.experiment(key)
    facts = _facts(store, experiment)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*.parquet")):
        raise Conflict(f"{folder} holds Parquet files already.", hint="Name a new folder.")
    path = folder / f"{key}.parquet"
    part = path.with_suffix(".part")
    rows = 0
    with pq.ParquetWriter(part, decision_schema(experiment, facts), compression="zstd") as writer:
        for batch in _decisions(store, experiment, facts):
            writer.write_batch(batch)
            rows += batch.num_rows
    part.replace(path)
    return Export(key, rows, str(path))


def _facts(store: Store, experiment: Experiment) -> Facts:
    return Facts.of(experiment, [version.experiment for version in store.versions(experiment.key)])


def _decisions(store: Store, experiment: Experiment, facts: Facts) -> Iterator[pa.RecordBatch]:
    schema = decision_schema(experiment, facts)
    for decisions in store.log(experiment.id, batch=BATCH_ROWS):
        yield to_batch(decisions, experiment=experiment.key, schema=schema)
