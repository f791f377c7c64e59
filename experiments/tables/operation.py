"""Tables of how a store is run: journals, leases, people, keys and the audit trail."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from experiments.tables.base import Base, Json, Micros, Name, Serial


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
