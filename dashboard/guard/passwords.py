"""Passwords and one-time links: argon2id for what people choose, SHA-256 for what we draw at random."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from experiments.errors import Invalid

LEAST, MOST = 12, 200
LINK_SECONDS = 24 * 3600

_hasher = PasswordHasher()


def check_new(password: str, repeated: str) -> str:
    """Return a password that may be set; Invalid with what to change."""
    if not LEAST <= len(password) <= MOST:
        raise Invalid(
            f"The password has {len(password)} characters.", hint=f"Choose one of {LEAST} to {MOST} characters."
        )
    if password != repeated:
        raise Invalid("The two passwords differ.", hint="Type the same one twice.")
    return password


def hashed(password: str) -> str:
    """Argon2id hash with its parameters and salt."""
    return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether ``password`` is the stored one; takes as long where nothing is stored, to keep secret who is known."""
    try:
        return _hasher.verify(stored or _decoy(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    return hashed(secrets.token_urlsafe(32))


def new_token() -> str:
    """256 random bits, for a link or a key that is shown once."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
