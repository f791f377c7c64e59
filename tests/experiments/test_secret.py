"""The master secret and what derives from it."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments.errors import Invalid, StoreError
from experiments.secret import Secret, TokenKey

MASTER = "a secret of more than thirty-two characters"


def test_the_first_start_makes_a_private_file_that_the_next_start_reads(tmp_path: Path) -> None:
    """The file is for its owner alone, and the secret stays the same."""
    first = Secret.load(tmp_path / "data", None)
    file = tmp_path / "data" / "secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert Secret.load(tmp_path / "data", None).fingerprint == first.fingerprint
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    """Whoever comes second takes the secret of the first."""
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda _: Secret.load(tmp_path, None).fingerprint, range(16)))
    assert len(set(secrets)) == 1


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """LANDIT_SECRET makes no file."""
    assert Secret.load(tmp_path, MASTER).fingerprint == Secret(MASTER.encode()).fingerprint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "short", "x" * 31])
def test_a_short_secret_is_refused(tmp_path: Path, text: str) -> None:
    """It says how long it is and how to make a better one."""
    with pytest.raises(Invalid, match=f"has {len(text)} characters"):
        Secret.load(tmp_path, text)


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    """A new secret would rename every visitor, so nobody makes one silently."""
    (tmp_path / "secret").write_text("")
    with pytest.raises(StoreError, match="damaged"):
        Secret.load(tmp_path, None)


def test_every_purpose_has_a_key_of_its_own() -> None:
    """Cookies, draws, tokens and pseudonyms never share one."""
    secret = Secret(MASTER.encode())
    keys = [secret.session_key, secret.draw_salt, *(secret.derive(f"token {i}") for i in (0, 1)), secret.derive("x")]
    assert len(set(keys)) == len(keys)


def test_a_pseudonym_is_keyed_and_stable() -> None:
    """The same unit has the same name, another installation another one."""
    here, there = Secret(MASTER.encode()), Secret(MASTER.encode() + b"!")
    assert here.pseudonym("visitor") == here.pseudonym("visitor") != there.pseudonym("visitor")
    assert len(bytes.fromhex(here.pseudonym("visitor"))) == 16


@pytest.mark.parametrize("message", [b"", b"x", b"x" * 64, b"x" * 1000])
def test_the_authentication_code_is_keyed_blake2b_of_128_bits(message: bytes) -> None:
    """It agrees with the standard library."""
    assert TokenKey(b"k" * 32).mac(message) == hashlib.blake2b(message, key=b"k" * 32, digest_size=16).digest()


def test_a_folder_is_served_under_one_secret(tmp_path: Path) -> None:
    """What another secret journalled there would name the same visitors otherwise."""
    ours, other = Secret(b"o" * 32), Secret(b"x" * 32)
    other.require(tmp_path)  # not bound yet
    ours.bind(tmp_path)
    ours.bind(tmp_path)
    ours.require(tmp_path)
    with pytest.raises(StoreError, match="belongs to the secret"):
        other.require(tmp_path)
    assert (tmp_path / "secret.fingerprint").stat().st_mode & 0o777 == 0o600
