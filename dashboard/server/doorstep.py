"""What has to be true of the store before ``landit serve`` works on it: migrated, ours, and somebody may sign in."""

from __future__ import annotations

import hashlib
import logging
import secrets

from dashboard.guard import names
from dashboard.settings import Settings
from experiments.access import UserRole
from experiments.clock import system_clock
from experiments.errors import Unavailable
from experiments.published import has_catalog
from experiments.secret import Secret
from experiments.store import Store, migrate

LINK_LIFE = 24 * 3600 * 1_000_000
"""µs for which a sign-in link works, once."""

_log = logging.getLogger(__name__)


def prepare(settings: Settings) -> str | None:
    """Make store, secret and administrator ready; returns a sign-in link as long as nobody has a password."""
    secret = Secret.load(settings.data, settings.secret)
    try:
        migrate(settings.store)
        store = Store.open(settings.store, clock=system_clock)
    except Unavailable as error:
        if not has_catalog(settings.published):
            raise
        _log.warning("serving what was published before, the store is away: %s", error)
        return None
    try:
        store.claim_secret(secret.fingerprint)
        secret.bind(settings.data)
        return first_link(store, settings)
    finally:
        store.close()


def first_link(store: Store, settings: Settings) -> str | None:
    """Return a link for the administrator, who is created if need be; None once somebody has a password."""
    users = store.users()
    if any(user.password is not None for user in users):
        return None
    admin = names.email(settings.admin)
    if all(user.email != admin for user in users):
        store.add_user(admin, role=UserRole.ADMIN)
    return sign_in_link(store, admin, url=settings.url)


def sign_in_link(store: Store, email: str, *, url: str) -> str:
    """Return a link that signs a user in once, within 24 hours; the store keeps only its hash."""
    token = secrets.token_urlsafe(32)
    store.create_login_link(email, hashlib.sha256(token.encode()).digest(), system_clock() + LINK_LIFE)
    return f"{url}/signin/{token}"
