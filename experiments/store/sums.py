"""Sums: what statistics are made of, added row by row in the order of the sequence.

Adding one row after the other, from the stored total on, gives the bits that one pass over all rows would give,
wherever the steps end.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from experiments.store.bulk import put_rows
from experiments.store.shapes import Shapes
from experiments.store.values import AnalysisRow
from experiments.tables import Sums


def add_sums(connection: Connection, shapes: Shapes, experiment_id: int, rows: Sequence[AnalysisRow]) -> None:
    """Add rows to the sums of their phase, variant and metrics."""
    keys = (Sums.phase, Sums.slot, Sums.metric)
    query = select(*keys, Sums.rows, Sums.total, Sums.squares, Sums.nonzero)
    stored = connection.execute(query.where(Sums.experiment_id == experiment_id)).all()
    sums = {tuple(row[:3]): list(row[3:]) for row in stored}
    touched = set()
    for row in rows:
        shape = shapes.version(connection, experiment_id, row.version)
        slot = shape.slots[shape.positions[row.variant]]
        for name, value in row.outcomes.items():
            key = (row.phase, slot, shapes.metric(connection, experiment_id, name))
            touched.add(key)
            held = sums.setdefault(key, [0, 0.0, 0.0, 0])
            held[0] += 1
            held[1] += value
            held[2] += value * value
            held[3] += value != 0
    names = ("phase", "slot", "metric", "rows", "total", "squares", "nonzero")
    put_rows(
        connection,
        Sums,
        [{"experiment_id": experiment_id} | dict(zip(names, (*key, *sums[key]), strict=True)) for key in touched],
    )
