"""Variants that were proved beaten, by the version of the experiment in which they lost their share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; nothing was beaten before."""
    op.add_column("experiment_versions", sa.Column("beaten", sa.Text(), nullable=True))
