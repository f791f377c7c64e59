"""Learning from rows whose windows are open: how long rewards take, and states that are served but not learned on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what there was no place for."""
    op.create_table(
        "reward_delays",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_reward_delays_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", "bucket", name="pk_reward_delays"),
    )
    op.add_column("policy_versions", sa.Column("served_checksum", sa.String(length=64), nullable=True))
    op.add_column("policy_blobs", sa.Column("served", sa.LargeBinary(), nullable=True))
