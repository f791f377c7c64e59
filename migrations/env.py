"""Alembic's entry: runs the revisions on the connection that ``experiments.store.schema`` hands over."""

from __future__ import annotations

from alembic import context

from experiments.tables import Base


def run() -> None:
    """Run the revisions inside the caller's transaction, so that a migration happens whole or not at all."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        transactional_ddl=False,
    )
    context.run_migrations()


run()
