"""What is derived from the one master secret, and where that secret comes from.

Every key is ``blake2b(purpose, key=master)``: knowing one tells nothing of another, and adding a purpose changes none.
The pseudonym key and the draw salt never rotate: units would change their names, and visitors their variants.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from functools import cached_property
from pathlib import Path

from experiments.errors import Invalid, StoreError

MAC_BYTES = 16
"""Bytes of an authentication code: 128 bits."""

_MASTER_BYTES = 32
_ENVIRONMENT_LEAST = 32
_BOUND = "secret.fingerprint"


class TokenKey:
    """Keyed BLAKE2b of 128 bits (RFC 7693, section 2.9), the hash of every other key here.

    The key is hashed once, and the state copied per message: 0.5 µs, where HMAC-SHA256 takes 0.9 µs at best.
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=MAC_BYTES)

    def mac(self, message: bytes) -> bytes:
        """The 16-byte authentication code of ``message``."""
        code = self._keyed.copy()
        code.update(message)
        return code.digest()


class Secret:
    """The keys of one installation, all derived from ``master``.

    Parameters
    ----------
    master
        The secret bytes that all hosts of an installation share.
    token_key
        Id of the key that signs new tokens, 1 to 255. Tokens of the id before it are still accepted.
    """

    def __init__(self, master: bytes, *, token_key: int = 1) -> None:
        self._master = hashlib.blake2b(master, digest_size=_MASTER_BYTES).digest()
        self._pseudonym = hashlib.blake2b(key=self.derive("pseudonym"), digest_size=16)
        self.token_key = token_key
        self.token_keys = {number: TokenKey(self.derive(f"token {number}")) for number in (token_key, token_key - 1)}
        self.sign = self.token_keys[token_key].mac

    @classmethod
    def load(cls, data: Path, env: str | None) -> Secret:
        """The secret of ``LANDIT_SECRET`` if it is set, else of ``data/secret``, which the first start makes.

        Raises
        ------
        Invalid
            ``env`` is shorter than 32 characters.
        StoreError
            The file cannot be made or read.
        """
        if env is not None:
            return cls(_from_environment(env))
        try:
            return cls(_from_file(data / "secret"))
        except OSError as error:
            raise StoreError(
                f"the secret {data / 'secret'} cannot be used: {error.strerror}",
                hint="Make the data directory writable for this user, or set LANDIT_SECRET.",
            ) from error

    def require(self, data: Path) -> None:
        """Refuse a data folder that was served under another secret: units in it have other names.

        Raises
        ------
        StoreError
            The folder is bound to another secret.
        """
        bound = data / _BOUND
        kept = bound.read_text().strip() if bound.exists() else ""
        if kept not in ("", self.fingerprint):
            raise StoreError(
                f"the data folder {data} belongs to the secret {kept[:12]}, not to {self.fingerprint[:12]}",
                hint="Set the LANDIT_SECRET that it was first served with, or give another --data.",
            )

    def bind(self, data: Path) -> None:
        """Remember in the data folder that it is served under this secret."""
        bound = data / _BOUND
        if not bound.exists():
            _write_private(bound, self.fingerprint)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key of its own for ``purpose``."""
        return hashlib.blake2b(purpose.encode(), key=self._master, digest_size=32).digest()

    def pseudonym(self, unit: str) -> str:
        """The name under which a unit is stored: a keyed hash of 128 bits, as 32 hex digits."""
        digest = self._pseudonym.copy()
        digest.update(unit.encode())
        return digest.hexdigest()

    @cached_property
    def draw_salt(self) -> bytes:
        """The salt of every draw (:mod:`experiments.service.draw`)."""
        return self.derive("draw")

    @cached_property
    def session_key(self) -> bytes:
        """The key that signs the dashboard's cookies."""
        return self.derive("session")

    @cached_property
    def fingerprint(self) -> str:
        """What the store remembers of the secret, so that a host with another one refuses to start."""
        return self.derive("fingerprint")[:8].hex()


def _from_environment(text: str) -> bytes:
    if len(text) < _ENVIRONMENT_LEAST:
        raise Invalid(
            f"LANDIT_SECRET has {len(text)} characters, at least {_ENVIRONMENT_LEAST} are needed",
            hint="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
        )
    return text.encode()


def _from_file(path: Path) -> bytes:
    """Read the secret; the first of several processes that start together makes it, whole or not at all."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".secret-{secrets.token_hex(8)}")
        _write_private(draft, secrets.token_hex(_MASTER_BYTES))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first: its secret is ours
        finally:
            draft.unlink()
    text = path.read_text().strip()
    if len(text) < _ENVIRONMENT_LEAST:
        raise StoreError(
            f"the secret {path} is damaged: it has {len(text)} characters",
            hint="Restore it from a backup: with another secret, visitors and tokens would not be recognised.",
        )
    return text.encode()


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)
