"""The schema: brought up to date by Alembic, its only owner; checked whenever a store is opened."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

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
            database.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with database.writing() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            revision = _revision(connection)
            _refuse_newer(database, revision)
            if revision != _revisions()[-1]:
                _upgrade(connection)
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
    head = _revisions()[-1]
    if revision != head:
        found = "has no schema" if revision is None else f"has the schema {revision}, older than {head}"
        raise StoreError(f"{where} {found}.", hint="Run: landit migrate.")


def _refuse_newer(database: Database, revision: str | None) -> None:
    if revision is not None and revision not in _revisions():
        raise StoreError(
            f"the store {shown(database.url)} has the schema {revision!r}, which this version of landit does not know.",
            hint="Upgrade landit on this host to the version that migrated the store.",
        )


def _revision(connection: Connection) -> str | None:
    """Read what the database was migrated to, from Alembic's own table."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _revisions() -> list[str]:
    """Every revision that this version knows, the newest last: their files are named ``REVISION_subject.py``."""
    return sorted(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _upgrade(connection: Connection) -> None:
    # Alembic takes a fifth of a second to import, which no start has to wait for when there is nothing to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
