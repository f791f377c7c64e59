"""The schema: brought up to date by Alembic, its only owner; checked whenever a store is opened."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from experiments.errors import StoreError
from experiments.store.engine import Database, shown

MIGRATIONS = Path(__file__).parents[2] / "migrations"
_LOCK = 0x1A9D17  # any number, as long as it is always this one


def migrate(url: str) -> None:
    """Bring the database at ``url`` to this version's schema; do nothing where it is there already.

    The file of an SQLite store and the folder it is in are made where missing. Hosts that start together wait for the
    first of them.

    Raises
    ------
    StoreError
        The URL is wrong, there is no such database, or its schema is newer than this version of landit.
    Unavailable
        The database is down.
    """
    database = Database(url)
    try:
        if database.file is not None:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        with database.writing() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _refuse_newer(database, _revision(connection))
            command.upgrade(_config(connection), "head")
    except OSError as error:
        raise StoreError(f"the store {shown(database.url)} cannot be migrated: {error}") from error
    finally:
        database.close()


def check(database: Database) -> None:
    """Refuse a database whose schema is not this version's.

    Raises
    ------
    StoreError
        There is none, it was never migrated, or its schema is older or newer than this version of landit.
    Unavailable
        The database is down.
    """
    where = f"the store {shown(database.url)}"
    if database.file is not None and not database.file.is_file():
        raise StoreError(f"{where} does not exist.", hint="Run: landit migrate.")
    with database.reading() as connection:
        revision = _revision(connection)
    _refuse_newer(database, revision)
    head = _scripts().get_current_head()
    if revision != head:
        found = "has no schema" if revision is None else f"has the schema {revision}, older than {head}"
        raise StoreError(f"{where} {found}.", hint="Run: landit migrate.")


def _refuse_newer(database: Database, revision: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreError(
            f"the store {shown(database.url)} has the schema {revision!r}, which this version of landit does not know.",
            hint="Upgrade landit on this host to the version that migrated the store.",
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
