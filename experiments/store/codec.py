"""How values lie in columns: vectors as little-endian float64, contexts and outcomes as JSON text."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np

from bandit.types import Floats
from experiments.errors import Invalid

_HEX = re.compile(r"[0-9a-f]{32}\Z")
_FLOAT = np.dtype("<f8")


def pack(vector: Floats) -> bytes:
    """Write a vector as little-endian float64, 8 bytes a number.

    >>> pack(np.array([0.25, 0.75])).hex()
    '000000000000d03f000000000000e83f'
    """
    return np.ascontiguousarray(vector, dtype=_FLOAT).tobytes()


def unpack(packed: bytes) -> Floats:
    """Read what :func:`pack` wrote, bit for bit; the vector is read-only.

    >>> unpack(pack(np.array([0.25, 0.75])))
    array([0.25, 0.75])
    """
    return np.frombuffer(packed, dtype=_FLOAT)


def to_json(value: Any) -> str:
    """Write plain data as JSON text.

    >>> to_json({"device": "mobile"})
    '{"device":"mobile"}'
    """
    return msgspec.json.encode(value).decode()


def from_json(text: str) -> Any:
    """Read what :func:`to_json` wrote."""
    return msgspec.json.decode(text)


def is_hex(value: str) -> bool:
    """Say whether these are the 32 lower-case hex digits of an id.

    >>> is_hex("0" * 32), is_hex("0" * 31)
    (True, False)
    """
    return _HEX.match(value) is not None


def require_hex(name: str, value: str | None) -> None:
    """Raise ``Invalid`` unless the value is missing or 32 lower-case hex digits."""
    if value is not None and not is_hex(value):
        raise Invalid(f"{name}: must be 32 hex digits, found {value!r}.")
