"""Access: users, one-time links, API keys, the audit trail, and the secret that the data belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from experiments.access import APIKey, AuditEntry, Scope, User, UserRole
from experiments.errors import Conflict, NotFound, StoreError
from experiments.model import Micros
from experiments.store.audit import write_audit
from experiments.store.codec import from_json, to_json
from experiments.store.engine import AnyRow, Room
from experiments.tables import APIKeys, AuditLog, LoginLinks, Settings, Users

_FINGERPRINT = "secret_fingerprint"


class Access(Room):
    """Who may do what, and who did."""

    def claim_secret(self, fingerprint: str) -> None:
        """Bind the store to a secret: the first host's is kept.

        Raises
        ------
        StoreError
            The store belongs to another secret: its pseudonyms and draws could not be continued.
        """
        with self._database.writing() as connection:
            kept = connection.scalar(select(Settings.value).where(Settings.name == _FINGERPRINT))
            if kept is None:
                connection.execute(insert(Settings), {"name": _FINGERPRINT, "value": fingerprint})
            elif kept != fingerprint:
                raise StoreError(
                    f"the store belongs to the secret {kept[:12]}..., this host has {fingerprint[:12]}...",
                    hint="Give this host the same LANDIT_SECRET, or the file DATA/secret of the first one.",
                    code="secret",
                )

    def add_user(self, email: str, *, role: UserRole) -> User:
        """Add a user without a password (``Conflict`` when the address is taken)."""
        with self._database.writing() as connection:
            if connection.scalar(select(Users.id).where(Users.email == email)) is not None:
                raise Conflict(f"the user {email!r} exists.", code="exists")
            row = {"email": email, "role": role, "created": self._clock(), "sessions": 0}
            connection.execute(insert(Users), row)
            return _user(connection, email)

    def set_password(self, email: str, argon_hash: str) -> None:
        """Keep the argon2 hash of a new password, and end the user's sessions and open links (``NotFound``)."""
        with self._database.writing() as connection:
            user = _user(connection, email)
            changes = {"password": argon_hash, "sessions": user.sessions + 1}
            open_links = (LoginLinks.user_id == user.id, LoginLinks.used.is_(None))
            connection.execute(update(LoginLinks).where(*open_links).values(used=self._clock()))
            connection.execute(update(Users).where(Users.id == user.id).values(changes))

    def end_sessions(self, email: str) -> None:
        """Sign a user out everywhere (``NotFound``)."""
        with self._database.writing() as connection:
            user = _user(connection, email)
            connection.execute(update(Users).where(Users.id == user.id).values(sessions=user.sessions + 1))

    def user(self, email: str) -> User:
        """Read a user (``NotFound``)."""
        with self._database.reading() as connection:
            return _user(connection, email)

    def users(self) -> list[User]:
        """Read all users, by email."""
        with self._database.reading() as connection:
            return [_to_user(row) for row in connection.execute(select(*_USER).order_by(Users.email))]

    def create_login_link(self, email: str, token_sha256: bytes, expires: Micros) -> None:
        """Keep the hash of a one-time link (``NotFound`` for an unknown user)."""
        with self._database.writing() as connection:
            row = {"sha256": token_sha256, "user_id": _user(connection, email).id, "expires": expires}
            connection.execute(insert(LoginLinks), row)

    def redeem_link(self, token_sha256: bytes, now: Micros) -> User:
        """Use a one-time link up (``NotFound``: unknown, used or expired)."""
        usable = (LoginLinks.sha256 == token_sha256, LoginLinks.used.is_(None), LoginLinks.expires > now)
        with self._database.writing() as connection:
            used = update(LoginLinks).where(*usable).values(used=now).returning(LoginLinks.user_id)
            user_id = connection.scalar(used)
            if user_id is None:
                raise NotFound("this sign-in link is unknown, used or expired.", hint="Ask an admin for a new one.")
            return _to_user(connection.execute(select(*_USER).where(Users.id == user_id)).one())

    def add_key(self, name: str, *, scope: Scope, sha256: bytes, origins: Sequence[str] = ()) -> APIKey:
        """Keep the hash of a new API key (``Conflict`` when the name or the key is taken)."""
        text = to_json(list(origins))
        with self._database.writing() as connection:
            if connection.scalar(select(APIKeys.id).where(APIKeys.name == name)) is not None:
                raise Conflict(f"the key {name!r} exists.", hint="Choose another name.", code="exists")
            row = {"name": name, "scope": scope, "sha256": sha256, "origins": text, "created": self._clock()}
            connection.execute(insert(APIKeys), row)
            return _to_key(connection.execute(select(*_KEY).where(APIKeys.name == name)).one())

    def keys(self) -> list[APIKey]:
        """Read all keys, revoked ones included, by name."""
        with self._database.reading() as connection:
            return [_to_key(row) for row in connection.execute(select(*_KEY).order_by(APIKeys.name))]

    def revoke_key(self, name: str) -> None:
        """Refuse a key from now on (``NotFound``); one that is revoked stays so."""
        with self._database.writing() as connection:
            if connection.scalar(select(APIKeys.id).where(APIKeys.name == name)) is None:
                raise NotFound(f"there is no key {name!r}.")
            active = (APIKeys.name == name, APIKeys.revoked.is_(None))
            connection.execute(update(APIKeys).where(*active).values(revoked=self._clock()))

    def audit(self, by: str, action: str, subject: str, detail: dict[str, Any]) -> None:
        """Write down who did what."""
        with self._database.writing() as connection:
            write_audit(connection, self._clock(), by, action, subject, detail)

    def audit_log(self, limit: int = 100) -> list[AuditEntry]:
        """Read the newest entries first."""
        columns = (AuditLog.time, AuditLog.by, AuditLog.action, AuditLog.subject, AuditLog.detail)
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).order_by(AuditLog.id.desc()).limit(limit)).all()
        return [AuditEntry(row.time, row.by, row.action, row.subject, from_json(row.detail)) for row in rows]


_USER = (Users.id, Users.email, Users.role, Users.password, Users.sessions, Users.created)
_KEY = (APIKeys.name, APIKeys.scope, APIKeys.sha256, APIKeys.origins, APIKeys.created, APIKeys.revoked)


def _user(connection: Connection, email: str) -> User:
    row = connection.execute(select(*_USER).where(Users.email == email)).one_or_none()
    if row is None:
        raise NotFound(f"there is no user {email!r}.")
    return _to_user(row)


def _to_user(row: AnyRow) -> User:
    return User(
        id=row.id,
        email=row.email,
        role=UserRole(row.role),
        password=row.password,
        sessions=row.sessions,
        created=row.created,
    )


def _to_key(row: AnyRow) -> APIKey:
    return APIKey(
        name=row.name,
        scope=Scope(row.scope),
        sha256=bytes(row.sha256).hex(),
        origins=tuple(from_json(row.origins)),
        created=row.created,
        revoked=row.revoked,
    )
