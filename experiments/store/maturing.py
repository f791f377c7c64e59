"""Maturing: which decisions become analysis rows now, and what their rewards come to.

Everything starts from ``pending``, whose key is (experiment, time, id): the matured decisions are its beginning, and
no query here looks at more of the log than they and their units' own decisions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, null, or_, select, tuple_
from sqlalchemy.orm import aliased

from experiments.model import Experiment, Micros, UnitKind
from experiments.store.claims import Head, belongs, read_claims
from experiments.store.codec import from_json, unpack
from experiments.store.decisions import COUNTED
from experiments.store.engine import AnyRow, AnySelect
from experiments.store.fold import Claim, fold
from experiments.store.shapes import Shapes
from experiments.store.values import AnalysisRow
from experiments.tables import AnalysisRows, Decisions, Pending

_Other = aliased(Decisions, name="other")


def mature(
    connection: Connection, shapes: Shapes, experiment: Experiment, *, watermark: Micros, limit: int
) -> list[AnalysisRow]:
    """Find the next rows of an experiment, numbered as they are to be."""
    longest = max(metric.window for metric in experiment.definition.metrics)
    unit = experiment.definition.unit
    matured = connection.execute(candidates(experiment.id, unit, before=watermark - longest).limit(limit)).all()
    if not matured:
        return []
    last = matured[-1].time
    claims = read_claims(connection, unit, lambda query: pending(query, experiment.id, before=last))
    seq, step = last_row(connection, experiment.id)
    return [
        _analysis_row(connection, shapes, experiment, row, claims.get(row.id, ()), seq=seq + i, step=step + 1)
        for i, row in enumerate(matured, start=1)
    ]


def candidates(experiment_id: int, unit: UnitKind, *, before: Micros) -> AnySelect:
    """Decisions made at ``before`` or earlier that become rows, in the order of (time, id)."""
    columns: tuple[Any, ...] = (
        *(Head.id, Head.unit, Head.version, Head.phase, Head.time, Head.slot, Head.distribution, Head.context),
        (null() if unit is UnitKind.VISITOR else next_time()).label("until"),
    )
    query = pending(select(*columns), experiment_id, before=before).order_by(Pending.time, Pending.id)
    if unit is UnitKind.VISITOR:
        first = and_(~exists(_earlier()), ~exists(_entered()))
        query = query.where(or_(Head.unit.is_(None), first))
    return query


def pending(query: AnySelect, experiment_id: int, *, before: Micros) -> AnySelect:
    """Narrow a query over ``Head`` to the beginning of ``pending``."""
    same = and_(Pending.experiment_id == Head.experiment_id, Pending.id == Head.id)
    return query.join(Pending, same).where(Pending.experiment_id == experiment_id, Pending.time <= before)


def next_time() -> ColumnElement[Any]:
    """When the unit's next decision was made: it ends this one's window where every decision counts."""
    later = tuple_(_Other.time, _Other.id) > tuple_(Head.time, Head.id)
    following = select(_Other.time).where(_of_same_unit(), later).order_by(_Other.time, _Other.id).limit(1)
    return following.scalar_subquery()


def last_row(connection: Connection, experiment_id: int) -> tuple[int, int]:
    """The number and the step of the last analysis row; zeros before the first."""
    newest = AnalysisRows.seq.desc()
    query = select(AnalysisRows.seq, AnalysisRows.step).where(AnalysisRows.experiment_id == experiment_id)
    row = connection.execute(query.order_by(newest).limit(1)).one_or_none()
    return (0, 0) if row is None else (row.seq, row.step)


def _earlier() -> AnySelect:
    """Another decision of the unit that came before."""
    before = tuple_(_Other.time, _Other.id) < tuple_(Head.time, Head.id)
    return select(_Other.id).where(_of_same_unit(), before)


def _entered() -> AnySelect:
    """The row of a unit that is in already: a journal left out for its silence may bring an earlier decision."""
    entered = and_(AnalysisRows.experiment_id == Head.experiment_id, AnalysisRows.unit == Head.unit)
    return select(AnalysisRows.seq).where(entered)


def _of_same_unit() -> ColumnElement[bool]:
    same = and_(_Other.experiment_id == Head.experiment_id, _Other.unit == Head.unit)
    return and_(same, _Other.reason.in_(COUNTED), _Other.repeat_of.is_(None))


def _analysis_row(
    connection: Connection,
    shapes: Shapes,
    experiment: Experiment,
    row: AnyRow,
    claims: Iterable[Claim],
    *,
    seq: int,
    step: int,
) -> AnalysisRow:
    shape = shapes.version(connection, experiment.id, row.version)
    own = [claim for claim in claims if belongs(claim, until=row.until)]
    folded = fold(experiment.definition.metrics, own, time=row.time, until=row.until)
    return AnalysisRow(
        seq=seq,
        decision=row.id,
        unit=row.unit,
        version=row.version,
        phase=row.phase,
        time=row.time,
        variant=shape.key_of(row.slot),
        variants=shape.variants,
        distribution=unpack(row.distribution),
        context=from_json(row.context),
        outcomes=folded.outcomes,
        step=step,
        late=len(folded.late),
    )
