"""Claims: the rewards that may count for given analysis rows, wherever they are attached.

Each query looks up given ids along one index of one table. Written as joins, SQLite (which keeps no statistics of these
tables) began with every reward of the experiment: quadratic in the length of the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select
from sqlalchemy.orm import InstrumentedAttribute

from experiments.model import Micros, UnitKind
from experiments.store.bulk import chunks
from experiments.store.decisions import may_count
from experiments.store.engine import AnyRow
from experiments.store.fold import Claim
from experiments.tables import Decisions, Metrics, Rewards


@dataclass(frozen=True, slots=True)
class Head:
    """A decision that is a row, or would be."""

    id: str
    unit: str | None
    time: Micros
    until: Micros | None
    """The unit's next decision, where that ends the window."""


def units_of(heads: Iterable[Head]) -> set[str]:
    """Return the units that are known of them."""
    return {head.unit for head in heads if head.unit is not None}


def read_visits(connection: Connection, experiment_id: int, unit: UnitKind, units: Iterable[str]) -> list[AnyRow]:
    """Read every decision of visitors that may count: ``id``, ``unit`` and ``time``, nothing that is not in the index.

    Where every decision counts, those of the same unit have nothing to do with each other: there are none then.
    """
    here = (Decisions.experiment_id == experiment_id, may_count(Decisions))
    query = select(Decisions.id, Decisions.unit, Decisions.time).where(*here)
    some = chunks(units if unit is UnitKind.VISITOR else ())
    return [row for each in some for row in connection.execute(query.where(Decisions.unit.in_(each)))]


def read_claims(
    connection: Connection, experiment_id: int, heads: Sequence[Head], *, visits: Iterable[AnyRow]
) -> dict[str, list[Claim]]:
    """Read what may count for each head, by its id.

    That is the rewards of the decision, of its repeats, of its unit, and (visitors) of the unit's later decisions.
    """
    by_unit = _grouped(heads)
    owners = {head.id: (head.id, head.id) for head in heads}  # decision -> (head, decision that it counts as)
    for row in visits:
        owners.setdefault(row.id, (by_unit[row.unit][0].id, row.id))
    for row in list(_repeats(connection, experiment_id, owners)):
        owners[row.id] = (owners[row.repeat_of][0], row.repeat_of)
    claims: dict[str, list[Claim]] = defaultdict(list)
    for row in _rewards(connection, experiment_id, Rewards.decision_id, owners):
        head, decision = owners[row.decision_id]
        claims[head].append(_claim(row, decision))
    for row in _rewards(connection, experiment_id, Rewards.unit, by_unit):
        for owner in by_unit[row.unit]:
            if owner.time <= row.time and (owner.until is None or row.time < owner.until):
                claims[owner.id].append(_claim(row, owner.id))
    return claims


def _grouped(heads: Sequence[Head]) -> dict[str, list[Head]]:
    groups: dict[str, list[Head]] = defaultdict(list)
    for head in heads:
        if head.unit is not None:
            groups[head.unit].append(head)
    return groups


def _repeats(connection: Connection, experiment_id: int, decisions: Iterable[str]) -> Iterator[AnyRow]:
    """Ids of decisions by what they repeat: nothing that is not in the index."""
    for some in chunks(decisions):
        here = (Decisions.experiment_id == experiment_id, Decisions.repeat_of.in_(some))
        yield from connection.execute(select(Decisions.id, Decisions.repeat_of).where(*here))


def _rewards(
    connection: Connection, experiment_id: int, column: InstrumentedAttribute[str | None], values: Iterable[str]
) -> Iterator[AnyRow]:
    named = and_(Metrics.experiment_id == Rewards.experiment_id, Metrics.number == Rewards.metric)
    columns = (
        *(Rewards.id, Rewards.decision_id, Rewards.unit, Metrics.key.label("metric"), Rewards.key),
        *(Rewards.value, Rewards.time, Rewards.late, Rewards.duplicates),
    )
    for some in chunks(values):
        here = (Rewards.experiment_id == experiment_id, column.in_(some))
        yield from connection.execute(select(*columns).join(Metrics, named).where(*here))


def _claim(row: AnyRow, decision: str) -> Claim:
    return Claim(
        id=row.id,
        decision=decision,
        metric=row.metric,
        key=row.key,
        value=row.value,
        time=row.time,
        late=row.late,
        duplicates=row.duplicates,
    )
