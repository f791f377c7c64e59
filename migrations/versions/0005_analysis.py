"""Analysis that goes on from row to row, proofs with their dates, and units that were served another variant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what there was no place for; whether a unit of an earlier row crossed over is not known."""
    op.create_table(
        "analysis_states",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_analysis_states_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", name="pk_analysis_states"),
    )
    op.create_table(
        "proofs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=False),
        sa.Column("other", sa.String(length=64), nullable=True),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("estimate", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("margin", sa.Double(), nullable=True),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("rivals", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_proofs_experiment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_proofs"),
        sa.UniqueConstraint("experiment_id", "identity", name="uq_proofs_experiment_id_identity"),
    )
    op.create_index("ix_proofs_experiment_id", "proofs", ["experiment_id"])
    op.add_column("analysis_rows", sa.Column("crossed", sa.Boolean(), nullable=True))
