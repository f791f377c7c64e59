"""The one way to the database: its URL, its engine, its transactions, and its errors in our words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Row, Select, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from experiments.errors import Conflict, Invalid, LanditError, StoreError, Unavailable
from experiments.model import Micros
from experiments.store.shapes import Shapes

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
AnySelect: TypeAlias = Select[*tuple[Any, ...]]

BUSY_TIMEOUT_MS = 5_000
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
    "cache_size = -65536",  # KiB; units are random, and with SQLite's own 2 MB each of them is a read of the file
    "wal_autocheckpoint = 8192",  # pages; the same page is copied back once for many commits
)
INTEGRITY = "integrity"
"""The code of a ``Conflict`` that the database found: a unique key or a reference was violated."""
_WRITE = "landit_write"
_OTHER_SCHEMA = ("no such table", "no such column", "relation ", "column ")
_NOT_A_STORE = ("does not exist", "unable to open", "not a database", "authentication failed", "resolve host")
_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(text: str) -> URL:
    """Read the URL of a store.

    Raises
    ------
    StoreError
        It is not a URL, or its scheme is neither ``sqlite`` nor ``postgresql``.

    >>> parse_url("postgres://host/landit").drivername
    'postgresql+psycopg'
    """
    hint = "Use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError("the store's URL cannot be read.", hint=hint) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise StoreError(f"the store {shown(url)} has the scheme {url.drivername!r}.", hint=hint)
    if driver == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreError(f"the store {shown(url)} names no file.", hint=hint)
    return url.set(drivername=driver)


def shown(url: URL) -> str:
    """Write a URL down without its password."""
    return url.render_as_string(hide_password=True)


class Database:
    """An engine made at first use in each process, and the transactions on it.

    Parameters
    ----------
    url
        ``sqlite:///FILE`` or ``postgresql://...``.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.drivername == "sqlite"
        self.file = Path(self.url.database or "") if self.is_sqlite else None
        self._engine: Engine | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"Database({shown(self.url)!r})"

    @property
    def engine(self) -> Engine:
        """This process's engine: connections are never shared over a fork."""
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                self._engine.dispose(close=False)
            self._engine, self._pid = _make_engine(self.url), os.getpid()
        return self._engine

    def close(self) -> None:
        """Close every connection of this process."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and changes nothing."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that commits as a whole, or leaves nothing behind.

        Raises
        ------
        Conflict
            A unique or foreign key was violated.
        Invalid
            The database refuses a value.
        Unavailable
            The database is down, locked or full.
        StoreError
            It is not a landit database, or not of this version.
        """
        with self._transaction(write=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                options: dict[str, Any] = {_WRITE: write}
                if not write and not self.is_sqlite:
                    options["isolation_level"] = "REPEATABLE READ"
                with connection.execution_options(**options).begin():
                    yield connection
        except SQLAlchemyError as error:
            raise translated(error, self.url) from error


def translated(error: SQLAlchemyError, url: URL) -> LanditError:
    """Say a database error in the words of :mod:`experiments.errors`."""
    detail = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    where = f"the store {shown(url)}"
    if isinstance(error, IntegrityError):
        return Conflict(f"{where} refused it: {detail}.", code=INTEGRITY)
    if isinstance(error, DataError):
        return Invalid(f"{where} refused a value: {detail}.")
    if any(words in detail for words in _OTHER_SCHEMA):
        return StoreError(f"{where} has not the tables of this version: {detail}.", hint="Run: landit migrate.")
    if any(words in detail for words in _NOT_A_STORE):
        return StoreError(f"{where} cannot be opened: {detail}.", hint="Is its URL right?")
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return Unavailable(f"{where} cannot be used now: {detail}.", hint="Is it running, and has its disk room?")
    return StoreError(f"{where} failed: {detail}.")


def _make_engine(url: URL) -> Engine:
    if url.drivername != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is deferred; ours says what it is
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once, whatever the busy timeout (SEMANTICS §6).
    write = connection.get_execution_options().get(_WRITE, True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class Room:
    """What every part of the store shares: one database, and one clock."""

    def __init__(self, database: Database, clock: Callable[[], Micros]) -> None:
        self._database = database
        self._clock = clock
        self._shapes = Shapes()
