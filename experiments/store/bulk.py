"""Many rows at once, in the way that each database does fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import Column, Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from experiments.tables import Base, Id128

T = TypeVar("T")
IN_LIMIT = 5_000
"""Values in one ``IN``: SQLite takes 32,766 parameters a statement, PostgreSQL 65,535."""


def insert_rows(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns: by ``COPY`` on PostgreSQL, prepared once on SQLite."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    else:
        _executemany(connection, table, rows)


def add_rows(connection: Connection, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Add each row's numbers to the row of the same key, or begin one."""
    _upsert(connection, table, rows, lambda old, new: old + new)


def put_rows(connection: Connection, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Put each row in the place of the one of the same key, if there is one."""
    _upsert(connection, table, rows, lambda _, new: new)


def _upsert(
    connection: Connection,
    table: type[Base],
    rows: Iterable[Mapping[str, Any]],
    merge: Callable[[Column[Any], Any], Any],
) -> None:
    """Insert or change, in the order of the keys: then two writers never wait for each other in a circle."""
    target = cast(Table, table.__table__)
    keys = [column.name for column in target.primary_key]
    ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
    if not ordered:
        return
    statement: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(target)
    changes = {c.name: merge(c, statement.excluded[c.name]) for c in target.columns if c.name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), ordered)


def chunks(values: Iterable[T], size: int = IN_LIMIT) -> Iterator[list[T]]:
    """Cut values into lists that one ``IN`` can take.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def _executemany(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Hand plain tuples to the driver: SQLAlchemy's own loop over the parameters takes half of shipping's time."""
    target = cast(Table, table.__table__)
    compiled = insert(target).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    columns = compiled.positiontup or []
    parameters: list[Any] = [[row[column] for row in rows] for column in columns]
    for i, column in enumerate(columns):
        if isinstance(target.columns[column].type, Id128):
            parameters[i] = [None if value is None else bytes.fromhex(value) for value in parameters[i]]
    connection.exec_driver_sql(compiled.string, list(zip(*parameters, strict=True)))


def _copy(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    import psycopg  # only here: a server on SQLite need not wait for it at its start

    columns = list(rows[0])
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
    target = psycopg.sql.Identifier(cast(Table, table.__table__).name)
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(target, names)
    raw = cast(psycopg.Connection[Any], connection.connection.driver_connection)
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row[column] for column in columns])
    except psycopg.Error as error:
        raise DBAPIError.instance("COPY", None, error, psycopg.Error, dialect=connection.dialect) from error
