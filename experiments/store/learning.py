"""Learning: the one frozen sequence of analysis rows, its sums and the policy versions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, and_, exists, insert, or_, select, tuple_, update
from sqlalchemy import delete as delete_from

from experiments.errors import Conflict, NotFound
from experiments.model import Experiment, Micros, UnitKind
from experiments.store.analysing import add_proofs, put_state
from experiments.store.bulk import insert_rows
from experiments.store.codec import from_json, to_json, unpack
from experiments.store.decisions import may_count
from experiments.store.engine import AnyRow, AnySelect, Room
from experiments.store.leadership import require_epoch
from experiments.store.maturing import last_row, mature
from experiments.store.opened import add_delays
from experiments.store.shapes import Shapes
from experiments.store.shipping import count
from experiments.store.sums import add_sums
from experiments.store.thinning import superfluous
from experiments.store.values import AnalysisRow, PolicyVersion, Step
from experiments.tables import AnalysisRows, Decisions, Id128, Pending, PolicyBlobs, PolicyVersions, Rewards


class Learning(Room):
    """What the leading keeper does between shipping and publishing."""

    def next_rows(self, experiment: Experiment, *, watermark: Micros, limit: int) -> list[AnalysisRow]:
        """Find matured rows that have no number yet, as they are to be numbered; changes nothing.

        Parameters
        ----------
        experiment
            Its metrics say when a row matures, and how its rewards fold.
        watermark
            Everything accepted before this time is in the store.
        limit
            How many rows at most; the others come next time.

        Returns
        -------
        list of AnalysisRow
            In the order of (time, id), with the next numbers, all of one step.
        """
        with self._database.reading() as connection:
            return mature(connection, self._shapes, experiment, watermark=watermark, limit=limit)

    def commit_step(self, step: Step, *, epoch: int) -> None:
        """Commit rows, sums, cursor, policy version, analysis and proofs together.

        Raises
        ------
        Conflict
            The leadership has passed on, or the rows or the policy version do not follow on the last ones.
        """
        with self._database.writing() as connection:
            require_epoch(connection, epoch)
            if step.rows:
                _require_gapless(connection, step)
                append_rows(connection, self._shapes, step.experiment_id, step.rows)
                _clear_pending(connection, step)
            if step.policy is not None:
                _add_policy(connection, step.policy, now=self._clock())
            if step.analysis is not None:
                put_state(connection, step.analysis)
            add_proofs(connection, step.experiment_id, step.proofs)

    def analysis_rows(self, experiment_id: int, *, after: int = 0, limit: int = 5000) -> list[AnalysisRow]:
        """Read rows numbered above ``after``, in their order."""
        matched = and_(Decisions.experiment_id == AnalysisRows.experiment_id, Decisions.id == AnalysisRows.decision_id)
        query = (
            select(
                *(AnalysisRows.seq, AnalysisRows.step, AnalysisRows.outcomes, AnalysisRows.crossed),
                *(Decisions.id, Decisions.unit),
                *(Decisions.version, Decisions.phase, Decisions.time, Decisions.slot),
                *(Decisions.distribution, Decisions.context),
            )
            .join(Decisions, matched)
            .where(AnalysisRows.experiment_id == experiment_id, AnalysisRows.seq > after)
            .order_by(AnalysisRows.seq)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_frozen(connection, self._shapes, experiment_id, row) for row in connection.execute(query)]

    def latest_policy(self, experiment_id: int) -> PolicyVersion | None:
        """Read the newest policy version, or None before the first."""
        newest = _policies(experiment_id).order_by(PolicyVersions.version.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(newest).one_or_none()
            return None if row is None else _policy(row)

    def policy_version(self, experiment_id: int, version: int) -> PolicyVersion:
        """Read one policy version (``NotFound``)."""
        with self._database.reading() as connection:
            row = connection.execute(_policies(experiment_id).where(PolicyVersions.version == version)).one_or_none()
        if row is None:
            raise NotFound(f"there is no policy version {version} of the experiment of number {experiment_id}.")
        return _policy(row)


def append_rows(connection: Connection, shapes: Shapes, experiment_id: int, rows: Sequence[AnalysisRow]) -> None:
    """Write analysis rows, and add them to the sums."""
    once = shapes.unit(connection, experiment_id) is UnitKind.VISITOR
    insert_rows(
        connection,
        AnalysisRows,
        [
            {
                "experiment_id": experiment_id,
                "seq": row.seq,
                "step": row.step,
                "decision_id": row.decision,
                "unit": row.unit if once else None,
                "phase": row.phase,
                "outcomes": to_json(row.outcomes),
                "crossed": row.crossed,
            }
            for row in rows
        ],
    )
    add_sums(connection, shapes, experiment_id, rows)
    add_delays(connection, experiment_id, rows)
    count(connection, {experiment_id: {"late": sum(row.late for row in rows)}})


def _require_gapless(connection: Connection, step: Step) -> None:
    last, _ = last_row(connection, step.experiment_id)
    numbers = [row.seq for row in step.rows]
    if numbers != list(range(last + 1, last + 1 + len(numbers))):
        message = f"the rows {numbers[0]}..{numbers[-1]} do not follow on the last row, {last}."
        raise Conflict(message, hint="Ask for the next rows again.", code="sequence")


def _clear_pending(connection: Connection, step: Step) -> None:
    """Take out what was numbered, and what of the same units came up to it; rewards found are early no more."""
    last = step.rows[-1]
    rows, of_experiment = AnalysisRows.experiment_id == step.experiment_id, Pending.experiment_id == step.experiment_id
    same = and_(Decisions.experiment_id == step.experiment_id, Decisions.id == Pending.id)
    numbered = select(AnalysisRows.seq).where(rows, AnalysisRows.decision_id == Pending.id)
    entered = select(AnalysisRows.seq).join(Decisions, same).where(rows, AnalysisRows.unit == Decisions.unit)
    up_to = tuple_(Pending.time, Pending.id) <= tuple_(last.time, last.decision, types=(BigInteger(), Id128()))
    connection.execute(delete_from(Pending).where(of_experiment, up_to, or_(exists(numbered), exists(entered))))
    early = and_(Rewards.experiment_id == step.experiment_id, Rewards.early)
    found = select(Decisions.id).where(
        Decisions.experiment_id == step.experiment_id,
        or_(
            Decisions.id == Rewards.decision_id,
            and_(Decisions.unit == Rewards.unit, Decisions.time <= Rewards.time, may_count(Decisions)),
        ),
    )
    connection.execute(update(Rewards).where(early, exists(found)).values(early=False))


def _add_policy(connection: Connection, policy: PolicyVersion, *, now: Micros) -> None:
    facts = {
        "experiment_id": policy.experiment_id,
        "version": policy.version,
        "phase": policy.phase,
        "name": policy.name,
        "checksum": policy.checksum,
        "rows": policy.rows,
        "seq": policy.seq,
        "time": policy.time,
        "served_checksum": policy.served_checksum,
    }
    connection.execute(insert(PolicyVersions), facts)
    if policy.blob is not None:
        row = {"experiment_id": policy.experiment_id, "version": policy.version, "blob": policy.blob}
        row["served"] = policy.served
        connection.execute(insert(PolicyBlobs), row)
    of_experiment = PolicyBlobs.experiment_id == policy.experiment_id
    kept = (
        _policies(policy.experiment_id)
        .where(of_experiment)
        .with_only_columns(PolicyVersions.version, PolicyVersions.time)
    )
    drop = superfluous([(row.version, row.time) for row in connection.execute(kept)], now=now)
    if drop:
        connection.execute(delete_from(PolicyBlobs).where(of_experiment, PolicyBlobs.version.in_(drop)))


def _policies(experiment_id: int) -> AnySelect:
    same = and_(
        PolicyBlobs.experiment_id == PolicyVersions.experiment_id, PolicyBlobs.version == PolicyVersions.version
    )
    columns = (
        *(PolicyVersions.experiment_id, PolicyVersions.version, PolicyVersions.phase, PolicyVersions.name),
        *(PolicyVersions.checksum, PolicyVersions.rows, PolicyVersions.seq, PolicyVersions.time, PolicyBlobs.blob),
        *(PolicyVersions.served_checksum, PolicyBlobs.served),
    )
    query = select(*columns).select_from(PolicyVersions).join(PolicyBlobs, same, isouter=True)
    return query.where(PolicyVersions.experiment_id == experiment_id)


def _policy(row: AnyRow) -> PolicyVersion:
    return PolicyVersion(
        experiment_id=row.experiment_id,
        version=row.version,
        phase=row.phase,
        name=row.name,
        blob=None if row.blob is None else bytes(row.blob),
        checksum=row.checksum,
        rows=row.rows,
        seq=row.seq,
        time=row.time,
        served=None if row.served is None else bytes(row.served),
        served_checksum=row.served_checksum,
    )


def _frozen(connection: Connection, shapes: Shapes, experiment_id: int, row: AnyRow) -> AnalysisRow:
    shape = shapes.version(connection, experiment_id, row.version)
    return AnalysisRow(
        seq=row.seq,
        decision=row.id,
        unit=row.unit,
        version=row.version,
        phase=row.phase,
        time=row.time,
        variant=shape.key_of(row.slot),
        variants=shape.variants,
        distribution=unpack(row.distribution),
        context=from_json(row.context),
        outcomes=from_json(row.outcomes),
        step=row.step,
        crossed=row.crossed or False,
    )
