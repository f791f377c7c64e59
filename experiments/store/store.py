"""The store: one object for everything that is kept, on SQLite or PostgreSQL by its URL."""

from __future__ import annotations

from collections.abc import Callable

from experiments.errors import LanditError
from experiments.model import Micros
from experiments.store.access import Access
from experiments.store.analysing import Analysing
from experiments.store.engine import Database
from experiments.store.experiments import Experiments
from experiments.store.leadership import Leadership
from experiments.store.learning import Learning
from experiments.store.log import Log
from experiments.store.opened import Opened
from experiments.store.reading import Reading
from experiments.store.schema import check
from experiments.store.shipping import Shipping


class Store(Experiments, Shipping, Leadership, Learning, Analysing, Opened, Reading, Log, Access):
    """Everything that is kept.

    Every method is one transaction: it happens whole or not at all. What cannot be done raises one of
    :mod:`experiments.errors`: ``NotFound``, ``Conflict`` (somebody was first, or the state forbids it), ``Invalid``
    (the value is refused, now and always), ``Unavailable`` (the database is down or busy: try again), ``StoreError``
    (it is not our database). Nothing here knows a policy; whoever asks gets values, never rows or sessions.
    """

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], Micros]) -> Store:
        """Open a store whose schema is up to date.

        Raises
        ------
        StoreError
            The URL is wrong, there is no such database, or its schema is not this version's.
        Unavailable
            The database is down.
        """
        database = Database(url)
        try:
            check(database)
        except LanditError:
            database.close()
            raise
        return cls(database, clock)

    def close(self) -> None:
        """Close every connection of this process."""
        self._database.close()
