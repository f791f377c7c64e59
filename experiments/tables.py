"""The tables, as SQLAlchemy maps them: names, types, keys, indexes, and no behaviour.

Every time is integer microseconds since 1970 UTC. Every key is an integer or 128 bits whose order is that of time.
A decision, once in, is never updated; what becomes of it stands in other tables.

The log tables (decisions, pending, rewards, conflicting_rewards) carry no foreign keys: the shipper checks every
record against the experiment's version before it writes, and a check by row would lock the experiment's row on
PostgreSQL for each of them. Their keys begin with the experiment, so that one experiment's log is one range, and can be
one partition or one shard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine


class Id128(TypeDecorator[str]):
    """128 bits, 32 hex digits in Python: ``uuid`` on PostgreSQL, 16 bytes on SQLite. Both sort as the digits do."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the dialect."""
        return dialect.type_descriptor(postgresql.UUID() if dialect.name == "postgresql" else LargeBinary(16))

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], Any] | None:
        """Turn hex digits into what the driver takes, in one call a value: shipping binds millions."""
        return None if dialect.name == "postgresql" else _to_bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:  # noqa: ARG002
        """Turn what the driver gives into hex digits."""
        return _digits if dialect.name == "postgresql" else _to_hex


def _to_bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _to_hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _digits(value: UUID | None) -> str | None:
    return None if value is None else value.hex


class Base(DeclarativeBase):
    """What all tables share: named constraints, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


Micros = Annotated[int, mapped_column(BigInteger)]
Hex = Annotated[str, mapped_column(Id128)]
Name = Annotated[str, mapped_column(String(64))]
Json = Annotated[str, mapped_column(Text)]
"""JSON as text: its bytes come back as they went in, on both databases."""
Floats = Annotated[bytes, mapped_column(LargeBinary)]
"""A vector of little-endian float64: exact, and without a parser."""
Serial = Annotated[int, mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)]
ExperimentId = Annotated[int, mapped_column(Integer, primary_key=True, autoincrement=False)]
ExperimentRef = Annotated[
    int, mapped_column(Integer, ForeignKey("experiments.id"), primary_key=True, autoincrement=False)
]
Number = Annotated[int, mapped_column(Integer, primary_key=True, autoincrement=False)]


class Experiments(Base):
    """An experiment; whatever can change of it stands in the version that is in force."""

    __tablename__ = "experiments"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[Name] = mapped_column(unique=True)
    version: Mapped[int]
    imported: Mapped[bool]
    created: Mapped[Micros]


class ExperimentVersions(Base):
    """What was in force from ``time`` until the next version."""

    __tablename__ = "experiment_versions"

    experiment_id: Mapped[ExperimentRef]
    version: Mapped[Number]
    phase: Mapped[int]
    state: Mapped[Name]
    winner: Mapped[Name | None]
    time: Mapped[Micros]
    by: Mapped[str] = mapped_column(String(320))
    definition: Mapped[Json]
    beaten: Mapped[Json | None]
    standards: Mapped[Json | None]


class Variants(Base):
    """Every variant that an experiment ever had, with its slot in the draw."""

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("experiment_id", "key"),)

    experiment_id: Mapped[ExperimentRef]
    slot: Mapped[Number]
    key: Mapped[Name]
    since_version: Mapped[int]


class Metrics(Base):
    """Every metric that an experiment ever had, with the number that rewards carry."""

    __tablename__ = "metrics"
    __table_args__ = (UniqueConstraint("experiment_id", "key"),)

    experiment_id: Mapped[ExperimentRef]
    number: Mapped[Number]
    key: Mapped[Name]
    kind: Mapped[Name]
    since_version: Mapped[int]


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


class AnalysisRows(Base):
    """The one frozen sequence that learning and statistics read."""

    __tablename__ = "analysis_rows"
    __table_args__ = (
        UniqueConstraint("experiment_id", "decision_id"),
        Index(
            "uq_analysis_rows_unit",
            "experiment_id",
            "unit",
            unique=True,
            sqlite_where=text("unit IS NOT NULL"),
            postgresql_where=text("unit IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    experiment_id: Mapped[ExperimentRef]
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    step: Mapped[int]
    decision_id: Mapped[Hex]
    unit: Mapped[Hex | None]
    """The unit that has entered and may not enter again: null where every decision counts."""
    phase: Mapped[int]
    outcomes: Mapped[Json]
    crossed: Mapped[bool | None]
    """Whether its unit was served another variant while it was open; null where nobody looked."""


class Sums(Base):
    """The running sums of the analysis rows."""

    __tablename__ = "sums"
    __table_args__ = (
        ForeignKeyConstraint(["experiment_id", "slot"], ["variants.experiment_id", "variants.slot"]),
        ForeignKeyConstraint(["experiment_id", "metric"], ["metrics.experiment_id", "metrics.number"]),
    )

    experiment_id: Mapped[ExperimentId]
    phase: Mapped[Number]
    slot: Mapped[Number]
    metric: Mapped[Number]
    rows: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[float]
    squares: Mapped[float]
    nonzero: Mapped[int] = mapped_column(BigInteger)


class RewardDelays(Base):
    """How long the objective's rewards took, in analysis rows: one number a bucket of ages (``bandit.delays``)."""

    __tablename__ = "reward_delays"

    experiment_id: Mapped[ExperimentRef]
    bucket: Mapped[Number]
    rows: Mapped[float]


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


class PolicyVersions(Base):
    """Every policy version that was published; kept for ever."""

    __tablename__ = "policy_versions"

    experiment_id: Mapped[ExperimentRef]
    version: Mapped[Number]
    phase: Mapped[int]
    name: Mapped[Name]
    checksum: Mapped[Name]
    rows: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[Micros]
    served_checksum: Mapped[Name | None]
    """Of the state that was served, where it knew open rows as well."""


class PolicyBlobs(Base):
    """The states of the policy versions that were not thinned out."""

    __tablename__ = "policy_blobs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["experiment_id", "version"], ["policy_versions.experiment_id", "policy_versions.version"]
        ),
    )

    experiment_id: Mapped[ExperimentId]
    version: Mapped[Number]
    blob: Mapped[bytes] = mapped_column(LargeBinary)
    served: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What was served, where that is not ``blob``."""


class AnalysisStates(Base):
    """The sums that statistics go on from, beside the newest policy version: one row an experiment."""

    __tablename__ = "analysis_states"

    experiment_id: Mapped[ExperimentRef]
    seq: Mapped[int] = mapped_column(BigInteger)
    """The last analysis row in them."""
    blob: Mapped[bytes] = mapped_column(LargeBinary)
    time: Mapped[Micros]


class Proofs(Base):
    """What was proved, once each, with its date: ``experiments.proven`` says what each column is."""

    __tablename__ = "proofs"

    id: Mapped[Serial]
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    kind: Mapped[Name]
    metric: Mapped[Name]
    variant: Mapped[Name]
    other: Mapped[Name | None]
    segment: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[Micros]
    since: Mapped[int]
    estimate: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    alpha: Mapped[float]


class Journals(Base):
    """How far each journal is shipped, and what it promised."""

    __tablename__ = "journals"

    file: Mapped[str] = mapped_column(String(255), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger)
    watermark: Mapped[Micros | None]
    heard: Mapped[Micros]
    """When it was last heard of."""


class Quarantine(Base):
    """Records that the store refused, with the reason."""

    __tablename__ = "quarantine"

    id: Mapped[Serial]
    file: Mapped[str] = mapped_column(String(255))
    offset: Mapped[int] = mapped_column(BigInteger)
    line: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(Text)
    time: Mapped[Micros]


class Leases(Base):
    """Who leads; one row a purpose."""

    __tablename__ = "leases"

    name: Mapped[Name] = mapped_column(primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(255))
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[Micros]


class Users(Base):
    """People who may sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    role: Mapped[Name]
    password: Mapped[str | None] = mapped_column(String(255))
    """An argon2 hash."""
    sessions: Mapped[int]
    """Raised to end every session of the user."""
    created: Mapped[Micros]


class LoginLinks(Base):
    """One-time links, by the hash of their token."""

    __tablename__ = "login_links"

    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    expires: Mapped[Micros]
    used: Mapped[Micros | None]


class APIKeys(Base):
    """Keys of the HTTP API, by their hash."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    scope: Mapped[Name]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    origins: Mapped[Json]
    created: Mapped[Micros]
    revoked: Mapped[Micros | None]


class AuditLog(Base):
    """Who did what to which thing."""

    __tablename__ = "audit_log"

    id: Mapped[Serial]
    time: Mapped[Micros]
    by: Mapped[str] = mapped_column(String(320))
    action: Mapped[Name]
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[Json]


class Settings(Base):
    """Facts about the whole store, such as the fingerprint of its secret."""

    __tablename__ = "settings"

    name: Mapped[Name] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text)
