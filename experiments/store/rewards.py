"""Rewards on their way in: once for each decision (or unit), metric and key; what they came too early or late for."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, exists, func, insert, or_, select, update

from experiments.errors import Invalid
from experiments.model import Reason, UnitKind
from experiments.records import RewardRecord
from experiments.store.bulk import chunks, insert_rows
from experiments.store.codec import require_hex
from experiments.store.decisions import may_count
from experiments.store.shapes import Shapes
from experiments.tables import AnalysisRows, ConflictingRewards, Decisions, Rewards

Identity: TypeAlias = tuple[str | None, str | None, int, str, int | None]
"""Decision or unit, metric and key; with the time where a unit's rewards belong to several decisions."""


@dataclass(slots=True)
class _Kept:
    """The reward that holds an identity, in the store (``id``) or in this batch."""

    value: float
    id: int | None = None
    duplicates: int = 0


def take_rewards(connection: Connection, shapes: Shapes, records: Iterable[RewardRecord]) -> dict[int, dict[str, int]]:
    """Insert the rewards that are new; returns what to count for each experiment.

    Raises
    ------
    Invalid
        A record names an unknown metric or holds no number; nothing says which, the caller bisects.
    """
    groups: dict[int, list[RewardRecord]] = defaultdict(list)
    for record in records:
        groups[record.experiment].append(record)
    return {
        experiment_id: _Intake(connection, shapes, experiment_id).take(group)
        for experiment_id, group in sorted(groups.items())
    }


class _Intake:
    """The rewards of one experiment in one batch."""

    def __init__(self, connection: Connection, shapes: Shapes, experiment_id: int) -> None:
        self._connection = connection
        self._shapes = shapes
        self._experiment_id = experiment_id
        self._unit = shapes.unit(connection, experiment_id)

    def take(self, records: Sequence[RewardRecord]) -> dict[str, int]:
        """Sort the records into new, duplicate and conflicting ones, and keep each as such."""
        rows = [self._row(record) for record in records]
        kept = self._known(rows)
        fresh: dict[Identity, dict[str, Any]] = {}
        conflicting: list[dict[str, Any]] = []
        for row in rows:
            identity = self._identity(row)
            holder = kept.get(identity)
            if holder is None:
                kept[identity], fresh[identity] = _Kept(row["value"]), row
            elif holder.value == row["value"]:
                holder.duplicates += 1
            else:
                conflicting.append({name: value for name, value in row.items() if name != "at"})
        self._mark(list(fresh.values()))
        insert_rows(
            self._connection,
            Rewards,
            [row | {"duplicates": kept[identity].duplicates} for identity, row in fresh.items()],
        )
        if conflicting:
            self._connection.execute(insert(ConflictingRewards), conflicting)
        self._count_duplicates(kept)
        return {
            "rewards": len(fresh),
            "duplicates": sum(holder.duplicates for holder in kept.values()),
            "conflicting": len(conflicting),
            "late": sum(row["late"] for row in fresh.values()),
        }

    def _row(self, record: RewardRecord) -> dict[str, Any]:
        require_hex("decision", record.decision)
        require_hex("unit", record.unit)
        if record.decision is None and record.unit is None:
            raise Invalid("reward: names neither a decision nor a unit.")
        if not math.isfinite(record.value):
            raise Invalid(f"value: must be finite, found {record.value!r}.")
        return {
            "experiment_id": self._experiment_id,
            "decision_id": record.decision,
            "unit": None if record.decision is not None else record.unit,
            "metric": self._shapes.metric(self._connection, self._experiment_id, record.metric),
            "key": record.key,
            "value": record.value,
            "time": record.time,
            "at": record.at,
        }

    def _identity(self, row: Mapping[str, Any]) -> Identity:
        several = row["unit"] is not None and self._unit is UnitKind.DECISION
        return row["decision_id"], row["unit"], row["metric"], row["key"], row["time"] if several else None

    def _known(self, rows: Sequence[dict[str, Any]]) -> dict[Identity, _Kept]:
        columns = ("id", "decision_id", "unit", "metric", "key", "time", "value")
        found: dict[Identity, _Kept] = {}
        for column in (Rewards.decision_id, Rewards.unit):
            for ids in chunks({row[column.key] for row in rows} - {None}):
                query = (
                    select(*(getattr(Rewards, name) for name in columns))
                    .where(Rewards.experiment_id == self._experiment_id, column.in_(ids))
                    .order_by(Rewards.id.desc())  # the first one shipped stays in the dictionary
                )
                for row in self._connection.execute(query).mappings():
                    found[self._identity(dict(row))] = _Kept(row["value"], row["id"])
        return found

    def _mark(self, rows: Sequence[dict[str, Any]]) -> None:
        """Mark as early what has no decision yet, as late what has a numbered row already."""
        matched, numbered = self._fates_by_decision([row["decision_id"] for row in rows if row["unit"] is None])
        for row in rows:
            if row["unit"] is None:
                row["early"] = row["decision_id"] not in matched
                row["late"] = row["decision_id"] in numbered
            else:
                row["early"], row["late"] = self._fate_by_unit(row["unit"], row["time"])

    def _fates_by_decision(self, decisions: Iterable[str]) -> tuple[set[str], set[str]]:
        rows = AnalysisRows.__table__.alias()
        same = rows.c.experiment_id == Decisions.experiment_id
        own: ColumnElement[bool] = exists().where(
            same, rows.c.decision_id == func.coalesce(Decisions.repeat_of, Decisions.id)
        )
        of_unit: ColumnElement[bool] = exists().where(same, rows.c.unit == Decisions.unit)
        counted = Decisions.reason != Reason.PREVIEW
        matched: set[str] = set()
        numbered: set[str] = set()
        for ids in chunks(decisions):
            query = select(Decisions.id, (counted & or_(own, of_unit)).label("numbered"))
            query = query.where(Decisions.experiment_id == self._experiment_id, Decisions.id.in_(ids))
            for row in self._connection.execute(query):
                matched.add(row.id)
                if row.numbered:
                    numbered.add(row.id)
        return matched, numbered

    def _fate_by_unit(self, unit: str, time: int) -> tuple[bool, bool]:
        """Whether the unit has no decision yet, and whether its row is numbered."""
        latest = self._connection.scalar(
            select(Decisions.id)
            .where(
                Decisions.experiment_id == self._experiment_id,
                Decisions.unit == unit,
                Decisions.time <= time,
                may_count(Decisions),
            )
            .order_by(Decisions.time.desc(), Decisions.id.desc())
            .limit(1)
        )
        if latest is None:
            return True, False
        row = AnalysisRows.unit == unit if self._unit is UnitKind.VISITOR else AnalysisRows.decision_id == latest
        number = select(AnalysisRows.seq).where(AnalysisRows.experiment_id == self._experiment_id, row)
        return False, self._connection.scalar(number) is not None

    def _count_duplicates(self, kept: Mapping[Identity, _Kept]) -> None:
        for holder in kept.values():
            if holder.id is not None and holder.duplicates:
                again = Rewards.duplicates + holder.duplicates
                self._connection.execute(update(Rewards).where(Rewards.id == holder.id).values(duplicates=again))
