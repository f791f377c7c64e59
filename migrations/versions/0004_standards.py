"""Centers and scales of numbers that an experiment learned, by the version in which they took effect."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; nothing was learned before."""
    op.add_column("experiment_versions", sa.Column("standards", sa.Text(), nullable=True))
