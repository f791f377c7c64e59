"""Tables of the log: decisions and rewards as they were shipped, and what is counted of them on the way."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from experiments.tables.base import Base, ExperimentId, Floats, Hex, Json, Micros, Name, Number, Serial


class Decisions(Base):
    """The log of exposures, in the order of ids: SEMANTICS §3 says what each column is."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index(
            "ix_decisions_unit",
            "experiment_id",
            "unit",
            "time",
            "id",
            sqlite_where=text("unit IS NOT NULL AND repeat_of IS NULL AND reason <> 'preview'"),
            postgresql_where=text("unit IS NOT NULL AND repeat_of IS NULL AND reason <> 'preview'"),
        ),
        Index(
            "uq_decisions_request",
            "experiment_id",
            "request_id",
            unique=True,
            sqlite_where=text("request_id IS NOT NULL AND repeat_of IS NULL"),
            postgresql_where=text("request_id IS NOT NULL AND repeat_of IS NULL"),
        ),
        Index(
            "ix_decisions_repeat",
            "experiment_id",
            "repeat_of",
            sqlite_where=text("repeat_of IS NOT NULL"),
            postgresql_where=text("repeat_of IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    experiment_id: Mapped[ExperimentId]
    id: Mapped[Hex] = mapped_column(primary_key=True)
    version: Mapped[int]
    phase: Mapped[int]
    unit: Mapped[Hex | None]
    time: Mapped[Micros]
    slot: Mapped[int]
    probability: Mapped[float]
    distribution: Mapped[Floats]
    policy: Mapped[Name]
    policy_version: Mapped[int]
    reason: Mapped[Name]
    request_id: Mapped[str | None] = mapped_column(Text)
    repeat_of: Mapped[Hex | None]
    """The decision that was the first under the same ``request_id``."""
    context: Mapped[Json]


class Pending(Base):
    """Decisions that may become analysis rows once they mature, in the order in which they will."""

    __tablename__ = "pending"
    __table_args__ = ({"sqlite_with_rowid": False},)

    experiment_id: Mapped[ExperimentId]
    time: Mapped[Micros] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[Hex] = mapped_column(primary_key=True)


class Rewards(Base):
    """Rewards in the order of shipping, attached to a decision or to a unit."""

    __tablename__ = "rewards"
    __table_args__ = (
        CheckConstraint("(decision_id IS NULL) <> (unit IS NULL)", name="attached"),
        Index(
            "uq_rewards_decision",
            "experiment_id",
            "decision_id",
            "metric",
            "key",
            unique=True,
            sqlite_where=text("decision_id IS NOT NULL"),
            postgresql_where=text("decision_id IS NOT NULL"),
        ),
        Index(
            "uq_rewards_unit",
            "experiment_id",
            "unit",
            "metric",
            "key",
            "time",
            unique=True,
            sqlite_where=text("unit IS NOT NULL"),
            postgresql_where=text("unit IS NOT NULL"),
        ),
        Index(
            "ix_rewards_early",
            "experiment_id",
            sqlite_where=text("early"),
            postgresql_where=text("early"),
        ),
    )

    id: Mapped[Serial]
    experiment_id: Mapped[int]
    decision_id: Mapped[Hex | None]
    unit: Mapped[Hex | None]
    metric: Mapped[int]
    key: Mapped[str] = mapped_column(Text)
    value: Mapped[float]
    time: Mapped[Micros]
    at: Mapped[Micros | None]
    early: Mapped[bool]
    """Shipped before its decision was, and perhaps still without one."""
    late: Mapped[bool]
    """Shipped after its analysis row was numbered."""
    duplicates: Mapped[int]


class ConflictingRewards(Base):
    """Rewards that came after another value under the same decision or unit, metric and key."""

    __tablename__ = "conflicting_rewards"
    __table_args__ = (Index("ix_conflicting_rewards_decision", "experiment_id", "decision_id"),)

    id: Mapped[Serial]
    experiment_id: Mapped[int]
    decision_id: Mapped[Hex | None]
    unit: Mapped[Hex | None]
    metric: Mapped[int]
    key: Mapped[str] = mapped_column(Text)
    value: Mapped[float]
    time: Mapped[Micros]


class Traffic(Base):
    """Decisions a stretch of time and variant: from ten seconds to an hour, the longer the older an experiment is."""

    __tablename__ = "traffic"
    __table_args__ = ({"sqlite_with_rowid": False},)

    experiment_id: Mapped[ExperimentId]
    time: Mapped[Micros] = mapped_column(primary_key=True, autoincrement=False)
    slot: Mapped[Number]
    decisions: Mapped[int] = mapped_column(BigInteger)
    propensity_sum: Mapped[float]


class Counters(Base):
    """What became of what was shipped: one number a name."""

    __tablename__ = "counters"

    experiment_id: Mapped[ExperimentId]
    name: Mapped[Name] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
