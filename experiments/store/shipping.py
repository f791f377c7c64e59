"""Shipping: records of the journals become rows, each exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from experiments.errors import Conflict, Invalid
from experiments.model import Micros
from experiments.records import DecisionRecord, Record, RepeatRecord, RewardRecord
from experiments.store.bulk import add_rows, chunks
from experiments.store.decisions import take_decisions
from experiments.store.engine import INTEGRITY, Room
from experiments.store.rewards import take_rewards
from experiments.store.shapes import Shapes
from experiments.tables import Counters, Decisions, Experiments, Journals, Quarantine

ATTEMPTS = 3


class Shipping(Room):
    """Rows and the offset of the file that they came from, in one transaction: whatever happens, exactly once."""

    def offset(self, file: str) -> int:
        """Say how many bytes of the file are in the store: 0 for one never heard of."""
        with self._database.reading() as connection:
            return _offset(connection, file) or 0

    def ship(self, file: str, *, start: int, end: int, records: Sequence[Record]) -> None:
        """Move the records between two offsets into the store, all or none.

        The last record's time becomes the journal's watermark: a journal writes in the order of time.

        Raises
        ------
        Conflict
            ``start`` is not where the store's part of the file ends.
        Invalid
            A record is bad, and will be tomorrow: bisect, and put it into quarantine.
        Unavailable
            The database cannot take it now: try again later.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._database.writing() as connection:
                    _advance(connection, file, start=start, end=end, now=self._clock())
                    _take(connection, self._shapes, records)
                    if records:
                        _mark(connection, file, max(record.time for record in records), heard=self._clock())
                return
            except Conflict as error:
                # Another host shipped the same request in this very moment: the next look finds its row.
                if error.code != INTEGRITY:
                    raise
                if attempt == ATTEMPTS:
                    raise Invalid(error.message) from error

    def quarantine(self, file: str, *, start: int, end: int, line: bytes, reason: str) -> None:
        """Put a record that the store refuses aside, and step over it (``Conflict`` as for :meth:`ship`)."""
        row = {"file": file, "offset": start, "line": line, "reason": reason, "time": self._clock()}
        with self._database.writing() as connection:
            _advance(connection, file, start=start, end=end, now=self._clock())
            connection.execute(insert(Quarantine), row)

    def forget_journal(self, file: str) -> None:
        """Forget a file that was shipped whole and deleted: its offset and its watermark."""
        with self._database.writing() as connection:
            connection.execute(delete(Journals).where(Journals.file == file))

    def set_watermark(self, journal: str, time: Micros) -> None:
        """Promise that everything that this journal accepted before ``time`` is in the store."""
        with self._database.writing() as connection:
            if _offset(connection, journal) is None:
                row = {"file": journal, "offset": 0, "watermark": time, "heard": self._clock()}
                connection.execute(insert(Journals), row)
            else:
                _mark(connection, journal, time, heard=self._clock())

    def watermark(self, now: Micros, *, ship_grace: float) -> Micros:
        """Say before which time everything is in the store: ``now`` where no journal is live.

        Parameters
        ----------
        now
            Microseconds UTC.
        ship_grace
            Seconds after which a journal that was not heard of is left out.
        """
        live = (Journals.watermark.is_not(None), Journals.heard >= now - int(ship_grace * 1_000_000))
        with self._database.reading() as connection:
            least = connection.scalar(select(func.min(Journals.watermark)).where(*live))
            return now if least is None else least


def _advance(connection: Connection, file: str, *, start: int, end: int, now: Micros) -> None:
    stored = _offset(connection, file)
    if (stored or 0) != start:
        message = f"the store has {file!r} up to {stored or 0}, and this batch begins at {start}."
        raise Conflict(message, hint="Read the file from the store's offset.", code="offset")
    if stored is None:
        row = {"file": file, "offset": end, "watermark": None, "heard": now}
        connection.execute(insert(Journals), row)
    else:
        connection.execute(update(Journals).where(Journals.file == file).values(offset=end, heard=now))


def _take(connection: Connection, shapes: Shapes, records: Sequence[Record]) -> None:
    decisions = [record for record in records if isinstance(record, DecisionRecord)]
    rewards = [record for record in records if isinstance(record, RewardRecord)]
    sticky = [record for record in records if isinstance(record, RepeatRecord)]
    count(connection, take_decisions(connection, shapes, decisions))
    count(connection, take_rewards(connection, shapes, rewards))  # after their decisions: fewer come too early
    count(connection, _sticky(connection, sticky))


def count(connection: Connection, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Add to what the health of each experiment counts."""
    add_rows(
        connection,
        Counters,
        [
            {"experiment_id": experiment_id, "name": name, "value": value}
            for experiment_id, named in counts.items()
            for name, value in named.items()
            if value
        ],
    )


def _offset(connection: Connection, file: str) -> int | None:
    return connection.scalar(select(Journals.offset).where(Journals.file == file).with_for_update())


def _mark(connection: Connection, file: str, time: Micros, *, heard: Micros) -> None:
    higher = func.coalesce(Journals.watermark, 0) < time
    connection.execute(update(Journals).where(Journals.file == file, higher).values(watermark=time))
    connection.execute(update(Journals).where(Journals.file == file).values(heard=heard))


def _sticky(connection: Connection, records: Iterable[RepeatRecord]) -> dict[int, dict[str, int]]:
    """Count sticky answers under the experiments of their decisions; one whose decision is not here yet is not."""
    times: dict[str, int] = defaultdict(int)
    for record in records:
        times[record.decision] += 1
    counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for ids in chunks(times):
        # Naming every experiment lets the primary key (experiment, id) be used.
        query = select(Decisions.experiment_id, Decisions.id).where(
            Decisions.experiment_id.in_(select(Experiments.id)), Decisions.id.in_(ids)
        )
        for row in connection.execute(query):
            counts[row.experiment_id]["sticky"] += times[row.id]
    return counts
