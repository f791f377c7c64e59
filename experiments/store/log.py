"""The log: every decision as a stream, one decision with its rewards, and logs that come from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from msgspec import Raw
from sqlalchemy import ColumnElement, Connection, and_, select

from experiments.errors import Conflict, Invalid, NotFound
from experiments.model import Experiment, MetricKind
from experiments.records import DecisionRecord
from experiments.store.bulk import insert_rows
from experiments.store.codec import from_json, is_hex, unpack
from experiments.store.decisions import Arrived, add_traffic, check_matrix, decision_rows
from experiments.store.engine import AnyRow, AnySelect, Room
from experiments.store.fates import reward_fates
from experiments.store.fold import without_rewards
from experiments.store.learning import append_rows
from experiments.store.maturing import last_row
from experiments.store.shapes import Shape, Shapes
from experiments.store.shipping import count
from experiments.store.values import AnalysisRow, DecisionDetail, LoggedDecision
from experiments.tables import AnalysisRows, Decisions, Experiments, Metrics


class Log(Room):
    """The log of exposures, read and imported."""

    def log(self, experiment_id: int, *, batch: int = 8192) -> Iterator[list[LoggedDecision]]:
        """Stream every decision in the order of ids, with its rewards folded.

        Each batch is a transaction of its own: memory stays constant, and nothing waits for a slow reader. A decision
        shipped meanwhile is in the stream if its id lies ahead.
        """
        after: str | None = None
        while True:
            query = _logged(Decisions.experiment_id == experiment_id).order_by(Decisions.id).limit(batch)
            with self._database.reading() as connection:
                page = connection.execute(query if after is None else query.where(Decisions.id > after)).all()
                metrics = _metrics(connection, experiment_id)
                logged = [_to_logged(connection, self._shapes, metrics, row) for row in page]
            if logged:
                yield logged
            if len(page) < batch:
                return
            after = page[-1].id

    def decision(self, decision: str) -> DecisionDetail:
        """Read a decision and what became of each of its rewards (``NotFound``)."""
        # Naming every experiment lets the primary key (experiment, id) be used.
        anywhere = Decisions.experiment_id.in_(select(Experiments.id))
        with self._database.reading() as connection:
            found = is_hex(decision)
            row = (
                connection.execute(_logged(anywhere, Decisions.id == decision).limit(1)).one_or_none()
                if found
                else None
            )
            if row is None:
                hint = "A decision is in the store a second after its answer."
                raise NotFound(f"there is no decision {decision!r}.", hint=hint)
            metrics = _metrics(connection, row.experiment_id)
            return DecisionDetail(
                experiment=connection.scalar(select(Experiments.key).where(Experiments.id == row.experiment_id)) or "",
                decision=_to_logged(connection, self._shapes, metrics, row),
                rewards=reward_fates(connection, self._shapes, row),
                repeat_of=row.repeat_of,
            )

    def import_log(self, experiment: Experiment, rows: Iterable[list[LoggedDecision]]) -> int:
        """Fill an imported experiment; each decision marked ``analysis`` is a row at once.

        Parameters
        ----------
        experiment
            One created with ``imported=True``.
        rows
            Batches in the order of the log; each is committed by itself.

        Returns
        -------
        int
            How many decisions came in.

        Raises
        ------
        Conflict
            The experiment is a served one, or a decision is in already.
        Invalid
            A decision does not fit the experiment.
        """
        if not experiment.imported:
            raise Conflict(f"{experiment.key!r} is served: a log needs an experiment of its own.", code="not_imported")
        imported = 0
        for batch in rows:
            with self._database.writing() as connection:
                _import(connection, self._shapes, experiment, batch)
            imported += len(batch)
        return imported


def _import(connection: Connection, shapes: Shapes, experiment: Experiment, batch: list[LoggedDecision]) -> None:
    arrived = check_matrix(_arrived(shapes.version(connection, experiment.id, experiment.version), experiment, batch))
    insert_rows(connection, Decisions, decision_rows(arrived, {}))
    add_traffic(connection, arrived, np.ones(len(batch), dtype=np.bool_))
    count(connection, {experiment.id: {"decisions": len(batch)}})
    seq, step = last_row(connection, experiment.id)
    counted = [logged for logged in batch if logged.analysis]
    rows = [_imported_row(experiment, logged, seq=seq + i, step=step + 1) for i, logged in enumerate(counted, start=1)]
    append_rows(connection, shapes, experiment.id, rows)


def _arrived(shape: Shape, experiment: Experiment, batch: list[LoggedDecision]) -> Arrived:
    other = next((logged.variants for logged in batch if logged.variants != shape.variants), None)
    if other is not None:
        raise Invalid(f"variants: must be {', '.join(shape.variants)}, found {', '.join(other)}.")
    records = [
        DecisionRecord(
            id=logged.decision,
            experiment=experiment.id,
            version=experiment.version,
            phase=experiment.phase,
            unit=logged.unit,
            time=logged.time,
            variant=logged.variant,
            probability=logged.probability,
            distribution=Raw(b""),  # the matrix holds it, bit for bit
            policy=logged.policy,
            policy_version=logged.policy_version,
            reason=logged.reason,
            request_id=logged.request_id,
            context=dict(logged.context),
        )
        for logged in batch
    ]
    return Arrived(experiment.id, shape, records, np.array([logged.distribution for logged in batch]))


def _imported_row(experiment: Experiment, logged: LoggedDecision, *, seq: int, step: int) -> AnalysisRow:
    costs = {variant.key: variant.cost for variant in experiment.definition.variants}
    outcomes = {
        metric.key: without_rewards(metric, cost=costs[logged.variant])
        for metric in experiment.definition.metrics
        if metric.has_outcome
    }
    came = {key: value for key in outcomes if (value := logged.rewards.get(key)) is not None}
    return AnalysisRow(
        seq=seq,
        decision=logged.decision,
        unit=logged.unit,
        version=experiment.version,
        phase=experiment.phase,
        time=logged.time,
        variant=logged.variant,
        variants=logged.variants,
        distribution=logged.distribution,
        context=logged.context,
        outcomes=outcomes | came,
        step=step,
    )


def _logged(*where: ColumnElement[bool]) -> AnySelect:
    own = and_(AnalysisRows.experiment_id == Decisions.experiment_id, AnalysisRows.decision_id == Decisions.id)
    columns: tuple[Any, ...] = (*Decisions.__table__.columns, AnalysisRows.seq, AnalysisRows.outcomes)
    return select(*columns).select_from(Decisions).join(AnalysisRows, own, isouter=True).where(*where)


def _metrics(connection: Connection, experiment_id: int) -> list[str]:
    rewarded = (Metrics.experiment_id == experiment_id, Metrics.kind != MetricKind.RATIO)
    return list(connection.scalars(select(Metrics.key).where(*rewarded).order_by(Metrics.number)))


def _to_logged(connection: Connection, shapes: Shapes, metrics: list[str], row: AnyRow) -> LoggedDecision:
    shape = shapes.version(connection, row.experiment_id, row.version)
    outcomes = {} if row.outcomes is None else from_json(row.outcomes)
    return LoggedDecision(
        decision=row.id,
        version=row.version,
        phase=row.phase,
        unit=row.unit,
        time=row.time,
        variant=shape.key_of(row.slot),
        probability=row.probability,
        variants=shape.variants,
        distribution=unpack(row.distribution),
        policy=row.policy,
        policy_version=row.policy_version,
        reason=row.reason,
        analysis=row.seq is not None,
        seq=row.seq,
        context=from_json(row.context),
        rewards={metric: outcomes.get(metric) for metric in metrics},
        request_id=row.request_id,
    )
