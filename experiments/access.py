"""Who may do what: users of the dashboard, keys of the HTTP API, and the trail that they leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from experiments.model import Micros


class UserRole(StrEnum):
    """What a person may do in the dashboard; each role may do what the ones before it may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"

    def covers(self, other: UserRole) -> bool:
        """Whether this role may do whatever ``other`` may.

        >>> UserRole.ADMIN.covers(UserRole.EDITOR), UserRole.VIEWER.covers(UserRole.EDITOR)
        (True, False)
        """
        order = list(UserRole)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """What a key may do: ``site`` is publishable (choose, reward by token), the others are secret."""

    SITE = "site"
    SERVER = "server"
    ADMIN = "admin"

    def covers(self, other: Scope) -> bool:
        """Whether this scope may do whatever ``other`` may.

        >>> Scope.SERVER.covers(Scope.SITE), Scope.SITE.covers(Scope.SERVER)
        (True, False)
        """
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in; ``password`` is the argon2 hash, None until one was chosen."""

    id: int
    email: str
    role: UserRole
    password: str | None = field(repr=False)
    sessions: int
    """A browser session that carries another number has ended."""
    created: Micros


@dataclass(frozen=True, slots=True)
class APIKey:
    """A key of the HTTP API. The key itself is shown once and never stored."""

    name: str
    scope: Scope
    sha256: str
    """64 hex digits."""
    origins: tuple[str, ...]
    """Origins that may use a ``site`` key from a browser; empty: any."""
    created: Micros
    revoked: Micros | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which thing, and when."""

    time: Micros
    by: str
    action: str
    subject: str
    detail: dict[str, Any]
