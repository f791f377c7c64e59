"""Tables of what experiments are and were."""

from __future__ import annotations

from sqlalchemy import Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from experiments.tables.base import Base, ExperimentRef, Json, Micros, Name, Number


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
