"""Shipping: records of the journals become rows, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.model import Micros
from experiments.records import Record
from experiments.store.engine import Room


class Shipping(Room):
    """Rows and the offset of the file that they came from, in one transaction."""

    def offset(self, file: str) -> int:
        """How many bytes of the file are in the store."""
        raise NotImplementedError

    def ship(self, file: str, *, start: int, end: int, records: Sequence[Record]) -> None:
        """Move the records between two offsets into the store, all or none."""
        raise NotImplementedError

    def quarantine(self, file: str, *, start: int, end: int, line: bytes, reason: str) -> None:
        """Put a record that the store refuses aside, and step over it."""
        raise NotImplementedError

    def forget_journal(self, file: str) -> None:
        """Forget a file that was shipped whole and deleted: its offset and its watermark."""
        raise NotImplementedError

    def set_watermark(self, journal: str, time: Micros) -> None:
        """Promise that everything that this journal accepted before ``time`` is in the store."""
        raise NotImplementedError

    def watermark(self, now: Micros, *, ship_grace: float) -> Micros:
        """Say before which time everything is in the store, journals silent for ``ship_grace`` seconds left out."""
        raise NotImplementedError
