"""Fates: what became of each reward of one decision."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, and_, null, select

from experiments.model import Definition, Reason, UnitKind
from experiments.store.claims import Head, read_claims, read_visits, units_of
from experiments.store.engine import AnyRow
from experiments.store.fold import Claim, fold
from experiments.store.maturing import First, next_time
from experiments.store.shapes import Shapes
from experiments.store.values import Fate, RewardFate
from experiments.tables import AnalysisRows, ConflictingRewards, Experiments, ExperimentVersions, Metrics


def reward_fates(connection: Connection, shapes: Shapes, decision: AnyRow) -> tuple[RewardFate, ...]:
    """Say what became of the rewards that name a decision, its repeats, or (where it is a row) its unit."""
    definition = _definition(connection, decision.experiment_id)
    original: str = decision.repeat_of or decision.id
    counts = decision.reason != Reason.PREVIEW
    row = _row_of(connection, definition.unit, decision, original) if counts else None
    head, version = _head(connection, definition.unit, decision.experiment_id, row or original)
    metrics = shapes.version(connection, decision.experiment_id, version).measured(definition.metrics)
    visits = read_visits(connection, decision.experiment_id, definition.unit, units_of([head]))
    claims = read_claims(connection, decision.experiment_id, [head], visits=visits).get(head.id, [])
    folded = fold(metrics, claims, time=head.time, until=head.until)

    def fate(claim: Claim) -> Fate:
        if not counts:
            return Fate.UNUSED
        if row is None:
            return Fate.OPEN
        if claim.id in folded.counted:
            return Fate.COUNTED
        return Fate.LATE if claim.metric in folded.outcomes else Fate.UNUSED

    own = [
        RewardFate(claim.metric, claim.key, claim.value, claim.time, fate(claim), claim.duplicates)
        for claim in sorted(claims, key=lambda claim: claim.id)
        if claim.decision == original
    ]
    return (*own, *_conflicting(connection, decision))


def _definition(connection: Connection, experiment_id: int) -> Definition:
    in_force = and_(
        ExperimentVersions.experiment_id == Experiments.id, ExperimentVersions.version == Experiments.version
    )
    query = select(ExperimentVersions.definition).join(Experiments, in_force).where(Experiments.id == experiment_id)
    return msgspec.json.decode(connection.execute(query).scalar_one(), type=Definition)


def _row_of(connection: Connection, unit: UnitKind, decision: AnyRow, original: str) -> str | None:
    """Find the analysis row that the decision's rewards go to, once it is numbered."""
    by_unit = unit is UnitKind.VISITOR and decision.unit is not None
    whose = AnalysisRows.unit == decision.unit if by_unit else AnalysisRows.decision_id == original
    query = select(AnalysisRows.decision_id).where(AnalysisRows.experiment_id == decision.experiment_id, whose)
    return connection.scalar(query)


def _head(connection: Connection, unit: UnitKind, experiment_id: int, decision: str) -> tuple[Head, int]:
    until: Any = null() if unit is UnitKind.VISITOR else next_time()
    query = select(First.id, First.unit, First.time, First.version, until.label("until"))
    row = connection.execute(query.where(First.experiment_id == experiment_id, First.id == decision)).one()
    return Head(row.id, row.unit, row.time, row.until), row.version


def _conflicting(connection: Connection, decision: AnyRow) -> list[RewardFate]:
    named = and_(Metrics.experiment_id == ConflictingRewards.experiment_id, Metrics.number == ConflictingRewards.metric)
    here = (
        ConflictingRewards.experiment_id == decision.experiment_id,
        ConflictingRewards.decision_id == decision.id,
    )
    columns = (Metrics.key.label("metric"), ConflictingRewards.key, ConflictingRewards.value, ConflictingRewards.time)
    query = select(*columns).join(Metrics, named).where(*here).order_by(ConflictingRewards.id)
    return [RewardFate(*row, Fate.CONFLICTING) for row in connection.execute(query)]
