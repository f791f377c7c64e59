"""Maturing: which decisions become analysis rows now, and what their rewards come to.

Everything starts from ``pending``, whose key is (experiment, time, id): the matured decisions are its beginning, and
no query here looks at more of the log than they and their units' own decisions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, null, or_, select, tuple_
from sqlalchemy.orm import aliased

from experiments.model import Experiment, Micros, UnitKind
from experiments.store.claims import Head, read_claims, read_visits, units_of
from experiments.store.codec import from_json, unpack
from experiments.store.crossing import crossed_over
from experiments.store.decisions import may_count
from experiments.store.engine import AnyRow, AnySelect
from experiments.store.fold import Claim, delays_of, fold
from experiments.store.shapes import Shapes
from experiments.store.values import AnalysisRow
from experiments.tables import AnalysisRows, Decisions, Pending

First = aliased(Decisions, name="first")
_Other = aliased(Decisions, name="other")


def mature(
    connection: Connection, shapes: Shapes, experiment: Experiment, *, watermark: Micros, limit: int
) -> list[AnalysisRow]:
    """Find the next rows of an experiment, numbered as they are to be."""
    unit, window = experiment.definition.unit, experiment.definition.window
    matured = connection.execute(candidates(experiment.id, unit, before=watermark - window).limit(limit)).all()
    if not matured:
        return []
    heads = [Head(row.id, row.unit, row.time, row.until) for row in matured]
    visits = read_visits(connection, experiment.id, unit, units_of(heads))
    claims = read_claims(connection, experiment.id, heads, visits=visits)
    crossed = crossed_over(connection, experiment.id, matured, visits=visits, window=window)
    seq, step = last_row(connection, experiment.id)
    rows = [
        analysis_row(connection, shapes, experiment, row, claims.get(row.id, ()), seq=seq + i, step=step + 1)
        for i, row in enumerate(matured, start=1)
    ]
    return [replace(row, crossed=row.decision in crossed) for row in rows]


def candidates(experiment_id: int, unit: UnitKind, *, before: Micros) -> AnySelect:
    """Decisions made at ``before`` or earlier that become rows, in the order of (time, id)."""
    columns: tuple[Any, ...] = (
        *(First.id, First.unit, First.version, First.phase, First.time, First.slot, First.distribution, First.context),
        (null() if unit is UnitKind.VISITOR else next_time()).label("until"),
    )
    waiting = and_(Pending.experiment_id == First.experiment_id, Pending.id == First.id)
    query = select(*columns).join(Pending, waiting).order_by(Pending.time, Pending.id)
    query = query.where(Pending.experiment_id == experiment_id, Pending.time <= before)
    if unit is UnitKind.VISITOR:
        first = and_(~exists(_earlier()), ~exists(_entered()))
        query = query.where(or_(First.unit.is_(None), first))
    return query


def next_time() -> ColumnElement[Any]:
    """When the unit's next decision was made: it ends this one's window where every decision counts."""
    later = tuple_(_Other.time, _Other.id) > tuple_(First.time, First.id)
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
    before = tuple_(_Other.time, _Other.id) < tuple_(First.time, First.id)
    return select(_Other.id).where(_of_same_unit(), before)


def _entered() -> AnySelect:
    """The row of a unit that is in already: a journal left out for its silence may bring an earlier decision."""
    entered = and_(AnalysisRows.experiment_id == First.experiment_id, AnalysisRows.unit == First.unit)
    return select(AnalysisRows.seq).where(entered)


def _of_same_unit() -> ColumnElement[bool]:
    same = and_(_Other.experiment_id == First.experiment_id, _Other.unit == First.unit)
    return and_(same, may_count(_Other))


def analysis_row(
    connection: Connection,
    shapes: Shapes,
    experiment: Experiment,
    row: AnyRow,
    claims: Iterable[Claim],
    *,
    seq: int,
    step: int,
) -> AnalysisRow:
    """Make the row that a decision comes to with these claims."""
    claims = list(claims)
    shape = shapes.version(connection, experiment.id, row.version)
    measured = shape.measured(experiment.definition.metrics)
    folded = fold(measured, claims, time=row.time, until=row.until, cost=shape.cost_of(row.slot))
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
        delays=delays_of(experiment.objective, claims, time=row.time, until=row.until) if claims else (),
    )
