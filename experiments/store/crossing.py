"""Crossing: which units were served another variant while their row was open.

The estimand is the effect of the first serving, and a later one of another variant blurs it. As in
:mod:`experiments.store.claims`, each query looks up given keys along one index.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from experiments.model import Micros
from experiments.store.bulk import chunks
from experiments.store.decisions import may_count
from experiments.store.engine import AnyRow
from experiments.tables import Decisions


def crossed_over(connection: Connection, experiment_id: int, rows: Sequence[AnyRow], *, window: Micros) -> set[str]:
    """Return the ids of those decisions after which their unit was served another variant.

    Parameters
    ----------
    connection, experiment_id
        Where to look.
    rows
        First decisions of units: ``id``, ``unit``, ``time``, ``slot``.
    window
        How long after each is looked.
    """
    firsts = {row.unit: row for row in rows if row.unit is not None}
    owners: dict[str, AnyRow] = {}
    for units in chunks(firsts):
        # Nothing that is not in the index: most units come once, and of those no decision has to be read.
        query = select(Decisions.id, Decisions.unit, Decisions.time).where(
            Decisions.experiment_id == experiment_id, Decisions.unit.in_(units), may_count(Decisions)
        )
        for later in connection.execute(query):
            first = firsts[later.unit]
            if later.id != first.id and first.time <= later.time < first.time + window:
                owners[later.id] = first
    crossed = set()
    for ids in chunks(owners):
        chosen = select(Decisions.id, Decisions.slot).where(
            Decisions.experiment_id == experiment_id, Decisions.id.in_(ids)
        )
        crossed |= {owners[row.id].id for row in connection.execute(chosen) if row.slot != owners[row.id].slot}
    return crossed
