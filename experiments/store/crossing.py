"""Crossing: which units were served another variant while their row was open.

The estimand is the effect of the first serving, and a later one of another variant blurs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from experiments.model import Micros
from experiments.store.bulk import chunks
from experiments.store.engine import AnyRow
from experiments.tables import Decisions


def crossed_over(
    connection: Connection, experiment_id: int, rows: Sequence[AnyRow], *, visits: Iterable[AnyRow], window: Micros
) -> set[str]:
    """Return the ids of those decisions after which their unit was served another variant.

    Parameters
    ----------
    connection, experiment_id
        Where to look.
    rows
        First decisions of units: ``id``, ``unit``, ``time``, ``slot``.
    visits
        Every decision of these units: ``id``, ``unit``, ``time``. What each showed is read of the later ones only.
    window
        How long after each is looked.
    """
    firsts = {row.unit: row for row in rows}
    owners: dict[str, AnyRow] = {}
    for visit in visits:
        first = firsts[visit.unit]
        if visit.id != first.id and first.time <= visit.time < first.time + window:
            owners[visit.id] = first
    crossed = set()
    for ids in chunks(owners):
        here = (Decisions.experiment_id == experiment_id, Decisions.id.in_(ids))
        for later in connection.execute(select(Decisions.id, Decisions.slot).where(*here)):
            if later.slot != owners[later.id].slot:
                crossed.add(owners[later.id].id)
    return crossed
