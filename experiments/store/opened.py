"""Open rows: what is known of decisions whose windows have not closed, and how long rewards take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from bandit.delays import Delays
from experiments.model import Experiment, Micros
from experiments.store.bulk import add_rows
from experiments.store.claims import Head, read_claims, read_visits, units_of
from experiments.store.engine import Room
from experiments.store.fold import window_end
from experiments.store.maturing import analysis_row, candidates
from experiments.store.values import AnalysisRow, OpenRow
from experiments.tables import Pending, RewardDelays


class Opened(Room):
    """What the leading keeper serves before rows mature."""

    def open_rows(
        self, experiment: Experiment, *, after: Micros, before: Micros, watermark: Micros, limit: int
    ) -> list[OpenRow]:
        """Find the rows that some decisions would be if nothing more came for them; changes nothing.

        Parameters
        ----------
        experiment
            Its metrics say how rewards fold.
        after, before
            Decisions made after the first time, and not after the second, that have not become rows.
        watermark
            Everything accepted before this time is in the store; what came later is left out.
        limit
            How many rows at most, the first of those times.
        """
        unit = experiment.definition.unit
        query = candidates(experiment.id, unit, before=before).where(Pending.time > after).limit(limit)
        with self._database.reading() as connection:
            found = connection.execute(query).all()
            heads = [Head(row.id, row.unit, row.time, row.until) for row in found]
            visits = read_visits(connection, experiment.id, unit, units_of(heads))
            claims = read_claims(connection, experiment.id, heads, visits=visits)
            opened = []
            for row in found:
                seen = [claim for claim in claims.get(row.id, ()) if claim.time <= watermark]
                end = window_end(experiment.objective, time=row.time, until=row.until)
                matured = analysis_row(connection, self._shapes, experiment, row, seen, seq=0, step=0)
                age = watermark - row.time if watermark < end else None
                opened.append(OpenRow(replace(matured, late=0), age))
            return opened

    def delays(self, experiment: Experiment) -> Delays:
        """Read how long the rewards of the objective took, over all variants."""
        query = select(RewardDelays.bucket, RewardDelays.rows).where(RewardDelays.experiment_id == experiment.id)
        law = Delays.none(experiment.objective.window)
        with self._database.reading() as connection:
            for row in connection.execute(query):
                law.counts[row.bucket, -1] = row.rows
        return law


def add_delays(connection: Connection, experiment_id: int, rows: Sequence[AnalysisRow]) -> None:
    """Add to how long rewards took."""
    shares: dict[int, float] = defaultdict(float)
    for row in rows:
        for bucket, share in row.delays:
            shares[bucket] += share
    new = [{"experiment_id": experiment_id, "bucket": b, "rows": float(s)} for b, s in shares.items()]
    add_rows(connection, RewardDelays, new)
