"""The schema: brought up to date by Alembic, its only owner; checked whenever a store is opened."""

from __future__ import annotations

from experiments.store.engine import Database


def migrate(url: str) -> None:
    """Bring the database at ``url`` to this version's schema; does nothing where it is there already."""
    raise NotImplementedError


def check(database: Database) -> None:
    """Refuse a database whose schema is not this version's."""
    raise NotImplementedError
