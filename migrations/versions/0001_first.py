"""The schema of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from experiments.tables import Id128

revision = "0001"
down_revision = None

_BIG = sa.BigInteger()
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Create every table, and the views for people who read with SQL."""
    for build in (
        _experiments,
        _decisions,
        _pending,
        _rewards,
        _learning,
        _policies,
        _shipping,
        _access,
        _views,
        _statistics,
    ):
        build()


def _experiments() -> None:
    """Experiments: what is in force, and what was."""
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
        sa.UniqueConstraint("key", name="uq_experiments_key"),
    )
    op.create_table(
        "experiment_versions",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("winner", sa.String(length=64), nullable=True),
        sa.Column("time", _BIG, nullable=False),
        sa.Column("by", sa.String(length=320), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_experiment_versions_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", "version", name="pk_experiment_versions"),
    )
    op.create_table(
        "variants",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("since_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_variants_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", "slot", name="pk_variants"),
        sa.UniqueConstraint("experiment_id", "key", name="uq_variants_experiment_id_key"),
    )
    op.create_table(
        "metrics",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("since_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_metrics_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", "number", name="pk_metrics"),
        sa.UniqueConstraint("experiment_id", "key", name="uq_metrics_experiment_id_key"),
    )


def _decisions() -> None:
    """The log of decisions."""
    op.create_table(
        "decisions",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", Id128(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("unit", Id128(), nullable=True),
        sa.Column("time", _BIG, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("distribution", sa.LargeBinary(), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("repeat_of", Id128(), nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "id", name="pk_decisions"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_decisions_repeat", "decisions", ["experiment_id", "repeat_of"], **_where("repeat_of IS NOT NULL")
    )
    op.create_index(
        "ix_decisions_unit",
        "decisions",
        ["experiment_id", "unit", "time", "id"],
        **_where("unit IS NOT NULL AND repeat_of IS NULL AND reason <> 'preview'"),
    )
    op.create_index(
        "uq_decisions_request",
        "decisions",
        ["experiment_id", "request_id"],
        unique=True,
        **_where("request_id IS NOT NULL AND repeat_of IS NULL"),
    )


def _pending() -> None:
    """What waits to mature, and the traffic over time."""
    op.create_table(
        "pending",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", _BIG, autoincrement=False, nullable=False),
        sa.Column("id", Id128(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "time", "id", name="pk_pending"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "traffic",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", _BIG, autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decisions", _BIG, nullable=False),
        sa.Column("propensity_sum", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "time", "slot", name="pk_traffic"),
        sqlite_with_rowid=False,
    )


def _rewards() -> None:
    """The log of rewards."""
    op.create_table(
        "rewards",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", Id128(), nullable=True),
        sa.Column("unit", Id128(), nullable=True),
        sa.Column("metric", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("time", _BIG, nullable=False),
        sa.Column("at", _BIG, nullable=True),
        sa.Column("early", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.CheckConstraint("(decision_id IS NULL) <> (unit IS NULL)", name=op.f("ck_rewards_attached")),
        sa.PrimaryKeyConstraint("id", name="pk_rewards"),
    )
    op.create_index("ix_rewards_early", "rewards", ["experiment_id"], **_where("early"))
    op.create_index(
        "uq_rewards_decision",
        "rewards",
        ["experiment_id", "decision_id", "metric", "key"],
        unique=True,
        **_where("decision_id IS NOT NULL"),
    )
    op.create_index(
        "uq_rewards_unit",
        "rewards",
        ["experiment_id", "unit", "metric", "key", "time"],
        unique=True,
        **_where("unit IS NOT NULL"),
    )
    op.create_table(
        "conflicting_rewards",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", Id128(), nullable=True),
        sa.Column("unit", Id128(), nullable=True),
        sa.Column("metric", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("time", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conflicting_rewards"),
    )
    op.create_index("ix_conflicting_rewards_decision", "conflicting_rewards", ["experiment_id", "decision_id"])


def _learning() -> None:
    """Analysis rows and their sums."""
    op.create_table(
        "analysis_rows",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", _BIG, autoincrement=False, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("decision_id", Id128(), nullable=False),
        sa.Column("unit", Id128(), nullable=True),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("outcomes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_analysis_rows_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", "seq", name="pk_analysis_rows"),
        sa.UniqueConstraint("experiment_id", "decision_id", name="uq_analysis_rows_experiment_id_decision_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_analysis_rows_unit", "analysis_rows", ["experiment_id", "unit"], unique=True, **_where("unit IS NOT NULL")
    )
    op.create_table(
        "sums",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("metric", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", _BIG, nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("squares", sa.Double(), nullable=False),
        sa.Column("nonzero", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "metric"],
            ["metrics.experiment_id", "metrics.number"],
            name="fk_sums_experiment_id_metric",
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id", "slot"], ["variants.experiment_id", "variants.slot"], name="fk_sums_experiment_id_slot"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "phase", "slot", "metric", name="pk_sums"),
    )


def _policies() -> None:
    """Policy versions, their states, and who may write them."""
    op.create_table(
        "policy_versions",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("rows", _BIG, nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("time", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_policy_versions_experiment_id"),
        sa.PrimaryKeyConstraint("experiment_id", "version", name="pk_policy_versions"),
    )
    op.create_table(
        "policy_blobs",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "version"],
            ["policy_versions.experiment_id", "policy_versions.version"],
            name="fk_policy_blobs_experiment_id_version",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "version", name="pk_policy_blobs"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=255), nullable=True),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("expires", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _shipping() -> None:
    """Journals, and what became of their records."""
    op.create_table(
        "journals",
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("offset", _BIG, nullable=False),
        sa.Column("watermark", _BIG, nullable=True),
        sa.Column("heard", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("file", name="pk_journals"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("offset", _BIG, nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("time", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_table(
        "counters",
        sa.Column("experiment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "name", name="pk_counters"),
    )


def _access() -> None:
    """Users, keys, the audit trail."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "login_links",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires", _BIG, nullable=False),
        sa.Column("used", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_login_links_user_id"),
        sa.PrimaryKeyConstraint("sha256", name="pk_login_links"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.Column("revoked", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("time", _BIG, nullable=False),
        sa.Column("by", sa.String(length=320), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )


_HEX = {"sqlite": "lower(hex({0}))", "postgresql": "replace({0}::text, '-', '')"}
_TIME = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch') || printf('.%06dZ', {0} % 1000000)",
    "postgresql": "to_timestamp({0} / 1000000.0)",
}


def _views() -> None:
    """Decisions and rewards with keys, hex digits and readable times; nothing of landit reads them."""
    dialect = op.get_bind().dialect.name
    digits, time = _HEX[dialect].format, _TIME[dialect].format
    op.execute(
        sa.DDL(
            f"""
            CREATE VIEW readable_decisions AS
            SELECT e.key AS experiment, {digits("d.id")} AS decision, {time("d.time")} AS time, d.version, d.phase,
                {digits("d.unit")} AS unit, v.key AS variant, d.probability, d.policy, d.policy_version, d.reason,
                d.request_id, {digits("d.repeat_of")} AS repeat_of, d.context, a.seq, a.outcomes
            FROM decisions d
            JOIN experiments e ON e.id = d.experiment_id
            JOIN variants v ON v.experiment_id = d.experiment_id AND v.slot = d.slot
            LEFT JOIN analysis_rows a ON a.experiment_id = d.experiment_id AND a.decision_id = d.id
            """.replace("%", "%%")  # noqa: S608 - all of it is written above
        )
    )
    op.execute(
        sa.DDL(
            f"""
            CREATE VIEW readable_rewards AS
            SELECT e.key AS experiment, {digits("r.decision_id")} AS decision, {digits("r.unit")} AS unit,
                m.key AS metric, r.key, r.value, {time("r.time")} AS time, {time("r.at")} AS at, r.late, r.duplicates
            FROM rewards r
            JOIN experiments e ON e.id = r.experiment_id
            JOIN metrics m ON m.experiment_id = r.experiment_id AND m.number = r.metric
            """.replace("%", "%%")  # noqa: S608 - all of it is written above
        )
    )


_STATISTICS = (
    ("decisions", "decisions", "1000000 100000 1"),
    ("decisions", "ix_decisions_unit", "1000000 100000 3 1 1"),
    ("decisions", "uq_decisions_request", "100000 10000 1"),
    ("decisions", "ix_decisions_repeat", "1000 100 1"),
    ("pending", "pending", "10000 1000 2 1"),
    ("rewards", "uq_rewards_decision", "100000 10000 2 1 1"),
    ("rewards", "uq_rewards_unit", "10000 1000 2 1 1 1"),
    ("rewards", "ix_rewards_early", "1000 100"),
    ("analysis_rows", "analysis_rows", "1000000 100000 1"),
    ("analysis_rows", "uq_analysis_rows_unit", "1000000 100000 1"),
    ("analysis_rows", "sqlite_autoindex_analysis_rows_2", "1000000 100000 1"),
    ("traffic", "traffic", "100000 10000 10 1"),
)
"""Table, index, and rows in all, for a value of its first column, of its first two...: as ``ANALYZE`` writes it."""


def _statistics() -> None:
    """Tell SQLite what a used store looks like.

    Without statistics it takes ten decisions an experiment for granted, and reads all of them rather than looking a
    thousand units up; nothing ever runs ``ANALYZE`` for it.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("ANALYZE sqlite_master")  # makes the table of statistics
    names = (sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    rows = [dict(zip(("tbl", "idx", "stat"), row, strict=True)) for row in _STATISTICS]
    op.bulk_insert(sa.table("sqlite_stat1", *names), rows)
