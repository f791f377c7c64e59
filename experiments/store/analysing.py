"""Analysis: the one state that statistics go on from, and what was proved on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from experiments.model import Proof, ProofKind
from experiments.store.bulk import insert_rows, put_rows
from experiments.store.codec import from_json, to_json
from experiments.store.engine import Room
from experiments.store.values import AnalysisState
from experiments.tables import AnalysisStates, Proofs

_COLUMNS = (
    *(Proofs.kind, Proofs.metric, Proofs.variant, Proofs.other, Proofs.segment, Proofs.seq, Proofs.time),
    *(Proofs.since, Proofs.estimate, Proofs.low, Proofs.high, Proofs.alpha, Proofs.margin, Proofs.first),
)


class Analysing(Room):
    """What reports read of statistics, and the leader goes on from."""

    def analysis_state(self, experiment_id: int) -> AnalysisState | None:
        """Read the state of an experiment's analysis, or None before the first."""
        columns = (AnalysisStates.experiment_id, AnalysisStates.seq, AnalysisStates.blob, AnalysisStates.time)
        query = select(*columns).where(AnalysisStates.experiment_id == experiment_id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else AnalysisState(row.experiment_id, row.seq, bytes(row.blob), row.time)

    def put_analysis(self, state: AnalysisState, proofs: Sequence[Proof] = ()) -> None:
        """Keep a state in the place of the one before, and new proofs: of imported logs, which have no leader."""
        with self._database.writing() as connection:
            put_state(connection, state)
            add_proofs(connection, state.experiment_id, proofs)

    def proofs(self, experiment_id: int) -> list[Proof]:
        """Read what was proved, in the order of time."""
        with self._database.reading() as connection:
            return read_proofs(connection, experiment_id)


def put_state(connection: Connection, state: AnalysisState) -> None:
    """Put the state in the place of the experiment's one before."""
    row = {"experiment_id": state.experiment_id, "seq": state.seq, "blob": state.blob, "time": state.time}
    put_rows(connection, AnalysisStates, [row])


def add_proofs(connection: Connection, experiment_id: int, proofs: Sequence[Proof]) -> None:
    """Keep the proofs that are new; the first of those that say the same stays, with its date.

    Nobody else adds any meanwhile: the caller holds the leader's lease, or nobody leads that experiment.
    """
    if not proofs:
        return
    known = select(Proofs.identity).where(Proofs.experiment_id == experiment_id)
    seen, rows = set(connection.scalars(known)), []
    for proof in proofs:
        identity = _digest(proof)
        if identity not in seen:
            seen.add(identity)
            facts = {column.key: getattr(proof, column.key) for column in _COLUMNS}
            own = {"experiment_id": experiment_id, "identity": identity, "rivals": to_json(proof.rivals)}
            rows.append(own | facts)
    insert_rows(connection, Proofs, rows)


def read_proofs(connection: Connection, experiment_id: int) -> list[Proof]:
    """Read the proofs of an experiment, the earliest first."""
    query = select(*_COLUMNS, Proofs.rivals).where(Proofs.experiment_id == experiment_id)
    ordered = query.order_by(Proofs.time, Proofs.id)
    return [_proof(row) for row in connection.execute(ordered).mappings()]


def _digest(proof: Proof) -> str:
    return hashlib.sha256(to_json(proof.identity).encode()).hexdigest()


def _proof(row: RowMapping) -> Proof:
    return Proof(**{**row, "kind": ProofKind(row["kind"]), "rivals": tuple(from_json(row["rivals"]))})
