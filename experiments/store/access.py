"""Access: users, one-time links, API keys, the audit trail, and the secret that the data belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.access import APIKey, AuditEntry, Scope, User, UserRole
from experiments.model import Micros
from experiments.store.engine import Room


class Access(Room):
    """Who may do what, and who did."""

    def claim_secret(self, fingerprint: str) -> None:
        """Bind the store to a secret: the first host's is kept, another one is refused."""
        raise NotImplementedError

    def add_user(self, email: str, *, role: UserRole) -> User:
        """Add a user without a password."""
        raise NotImplementedError

    def set_password(self, email: str, argon_hash: str) -> None:
        """Keep the argon2 hash of a user's new password."""
        raise NotImplementedError

    def user(self, email: str) -> User:
        """Read a user."""
        raise NotImplementedError

    def users(self) -> list[User]:
        """Read all users, by email."""
        raise NotImplementedError

    def create_login_link(self, email: str, token_sha256: bytes, expires: Micros) -> None:
        """Keep the hash of a one-time link."""
        raise NotImplementedError

    def redeem_link(self, token_sha256: bytes, now: Micros) -> User:
        """Use a one-time link up."""
        raise NotImplementedError

    def add_key(self, name: str, *, scope: Scope, sha256: bytes, origins: Sequence[str] = ()) -> APIKey:
        """Keep the hash of a new API key."""
        raise NotImplementedError

    def keys(self) -> list[APIKey]:
        """Read all keys, revoked ones included, by name."""
        raise NotImplementedError

    def revoke_key(self, name: str) -> None:
        """Refuse a key from now on."""
        raise NotImplementedError

    def audit(self, by: str, action: str, subject: str, detail: dict[str, Any]) -> None:
        """Write down who did what."""
        raise NotImplementedError

    def audit_log(self, limit: int = 100) -> list[AuditEntry]:
        """Read the newest entries first."""
        raise NotImplementedError
