"""Tables of the analysis rows and of what is made of them: sums, policies, analysis and proofs."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from experiments.tables.base import Base, ExperimentId, ExperimentRef, Hex, Json, Micros, Name, Number, Serial


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
    __table_args__ = (UniqueConstraint("experiment_id", "identity"),)

    id: Mapped[Serial]
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    identity: Mapped[Name]
    """A digest of what it says, SHA-256 in hex digits: what is said twice is kept once."""
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
    margin: Mapped[float | None]
    first: Mapped[Micros]
    rivals: Mapped[Json]
