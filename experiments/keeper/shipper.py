"""The shipper: what workers wrote to their journals becomes rows of the store, each record exactly once.

A file's offset moves in the transaction that takes its records, so a shipper that dies anywhere goes on where the
store says. A record that the database refuses is found by bisection and set aside with the reason; nothing waits
behind it. A file whose writer is gone is shipped to its end, its torn tail dropped (it was never acknowledged), and
deleted.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from experiments.errors import Conflict, Invalid
from experiments.journal import SUFFIX, Line, is_final, read_lines
from experiments.keeper.lock import FileLock
from experiments.model import Micros
from experiments.records import MarkRecord, Record

MAX_ROWS = 2_000
MAX_SECONDS = 0.05
"""What one write transaction may hold the database for."""

READ_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class ShippingStore(Protocol):
    """What a shipper needs of the store."""

    def offset(self, file: str) -> int: ...  # noqa: D102 - see experiments.store.shipping
    def ship(self, file: str, *, start: int, end: int, records: Sequence[Record]) -> None: ...  # noqa: D102
    def quarantine(self, file: str, *, start: int, end: int, line: bytes, reason: str) -> None: ...  # noqa: D102
    def set_watermark(self, journal: str, time: Micros) -> None: ...  # noqa: D102
    def forget_journal(self, file: str) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Shipped:
    """How far shipping came."""

    time: Micros
    """No journal that was not seen holds anything accepted before this time."""
    complete: bool
    """Whether everything that stood in the journals is in the store."""


@dataclass(slots=True)
class _Progress:
    """How far one file is in the store."""

    offset: int
    watermark: Micros


class Shipper:
    """Ships the journals of one data directory; only one at a time does, by a lock in that directory.

    Parameters
    ----------
    store
        Where the records go.
    directory
        The journals' folder.
    clock
        The time in µs since 1970 UTC, the same as the workers'.
    host
        The data directory's name, which no other one has. Under it stands a watermark for the journals that are not
        registered yet, or wait for their turn: without it a leader elsewhere would see none of them.
    """

    def __init__(
        self, store: ShippingStore, directory: Path, *, clock: Callable[[], Micros], host: str = "here"
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._host = f"host {host}"
        self._lock = FileLock(directory / "shipper.lock")
        self._files: dict[str, _Progress] = {}
        self._batch = MAX_ROWS

    def ship(self, *, seconds: float = math.inf) -> Shipped | None:
        """Ship what stands in the journals now, for about ``seconds``; None where another process ships.

        Raises
        ------
        Unavailable
            The database cannot be used now; what was shipped stays shipped, the rest stays in the journals.
        """
        if not self._lock.acquire():
            return None
        # A file that is not listed yet gets its first record after this moment, so no watermark may pass it.
        listed = self._clock()
        paths = sorted(self._directory.glob(f"*{SUFFIX}"))
        for path in paths:
            self._register(path, listed)
        deadline = time.monotonic() + seconds
        complete = all(self._ship_file(path, listed, deadline=deadline) for path in paths)
        known = () if complete else (self._files[path.name].watermark for path in paths if path.name in self._files)
        self._store.set_watermark(self._host, min((listed, *known)))
        return Shipped(listed, complete)

    def leave(self) -> None:
        """Hold nobody's learning up any more, where nothing is left to ship."""
        if not self._files:
            self._store.forget_journal(self._host)

    def close(self) -> None:
        """Let another process ship."""
        self._lock.release()

    def _register(self, path: Path, listed: Micros) -> None:
        """Let a new file hold the store's watermark before any other file advances it."""
        if path.name not in self._files:
            born = min(_born(path), listed)
            self._files[path.name] = _Progress(self._store.offset(path.name), born)
            self._store.set_watermark(path.name, born)

    def _ship_file(self, path: Path, listed: Micros, *, deadline: float) -> bool:
        """Ship one file until its end or the deadline; returns whether it was the end."""
        progress = self._files[path.name]
        final = is_final(path)  # asked before reading: whatever its writer wrote is there to be read
        while (reading := read_lines(path, progress.offset, limit=READ_BYTES)).lines:
            if time.monotonic() >= deadline:
                return False
            self._ship_lines(path.name, reading.lines)
            progress.offset = reading.end
            self._advance(path.name, min(_last_time(reading.lines), listed))
        if final:
            self._delete(path, torn=path.stat().st_size - progress.offset)
        return True

    def _ship_lines(self, file: str, lines: Sequence[Line]) -> None:
        for good, run in groupby(lines, key=lambda line: line.record is not None):
            if good:
                self._ship_run(file, tuple(run))
            else:
                for line in run:
                    self._set_aside(file, line, line.problem)

    def _ship_run(self, file: str, lines: Sequence[Line]) -> None:
        """Ship in transactions as large as the time allows."""
        at = 0
        while at < len(lines):
            batch = lines[at : at + self._batch]
            began = time.perf_counter()
            self._ship_batch(file, batch)
            at += len(batch)
            if time.perf_counter() - began > MAX_SECONDS:
                self._batch = max(self._batch // 2, 1)
            else:
                self._batch = min(self._batch * 2, MAX_ROWS)

    def _ship_batch(self, file: str, lines: Sequence[Line]) -> None:
        """Ship in one transaction; where the database refuses, halve until the refused record stands alone."""
        start, end = lines[0].start, lines[-1].end
        try:
            self._store.ship(file, start=start, end=end, records=tuple(_records(lines)))
        except (Invalid, Conflict) as error:
            if self._store.offset(file) != start:
                raise  # it is the offset that was refused: no fault of any record
            if len(lines) == 1:
                self._set_aside(file, lines[0], error.message)
                return
            middle = len(lines) // 2
            self._ship_batch(file, lines[:middle])
            self._ship_batch(file, lines[middle:])

    def _set_aside(self, file: str, line: Line, reason: str) -> None:
        _log.error("%s: the record at %d goes to quarantine: %s", file, line.start, reason)
        self._store.quarantine(file, start=line.start, end=line.end, line=line.raw, reason=reason)

    def _advance(self, file: str, watermark: Micros) -> None:
        progress = self._files[file]
        if watermark > progress.watermark:
            self._store.set_watermark(file, watermark)
            progress.watermark = watermark

    def _delete(self, path: Path, *, torn: int) -> None:
        if torn:
            _log.warning("%s: %d bytes of a torn record dropped; it was never acknowledged", path.name, torn)
        path.unlink()
        _sync_directory(path.parent)  # else, after a loss of power, the file could come back without its offset
        self._store.forget_journal(path.name)
        del self._files[path.name]


def _records(lines: Sequence[Line]) -> Iterator[Record]:
    for line in lines:
        if line.record is not None and not isinstance(line.record, MarkRecord):
            yield line.record


def _last_time(lines: Sequence[Line]) -> Micros:
    """Times never decrease within a journal, so the last one is a watermark; 0 where every line is damaged."""
    return next((line.record.time for line in reversed(lines) if line.record is not None), 0)


def _born(path: Path) -> Micros:
    """When a file was begun, by its name."""
    milliseconds = path.name.partition("-")[0]
    return int(milliseconds) * 1000 if milliseconds.isdigit() else 0


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
