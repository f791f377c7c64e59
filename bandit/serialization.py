"""The bytes of a policy: magic, header, raw arrays, checksum. Reading runs no code and trusts no length.

8 bytes   MAGIC
4 bytes   length of the header, little-endian
header    JSON, UTF-8: what the policy says of itself, and ``arrays``: [name, dtype, shape] of each
arrays    raw, little-endian, C order, one after another
32 bytes  SHA-256 of all the above
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bandit.validation import InvalidInput, require

MAGIC = b"LANDITP1"
_DTYPES = {"f8": "<f8", "i8": "<i8", "u1": "|u1"}
_DIGEST = 32

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


def pack(header: dict[str, Any], arrays: Arrays) -> bytes:
    """Return ``header`` (JSON values) and ``arrays`` (float64, int64 or uint8) as bytes.

    >>> unpack(pack({"policy": "x"}, {"n": np.arange(2.0)}))
    ({'policy': 'x'}, {'n': array([0., 1.])})
    """
    listing = [[name, _code(array), list(array.shape)] for name, array in arrays.items()]
    text = json.dumps(header | {"arrays": listing}, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    raw = [array.astype(_DTYPES[_code(array)], copy=False).tobytes() for array in arrays.values()]
    body = b"".join([MAGIC, struct.pack("<I", len(text)), text, *raw])
    return body + hashlib.sha256(body).digest()


def unpack(blob: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return what :func:`pack` was given.

    Raises
    ------
    InvalidInput
        If a single bit differs from what was written.
    """
    start = len(MAGIC) + 4
    require(blob[: len(MAGIC)] == MAGIC, f"a policy must begin with {MAGIC!r}, found {bytes(blob[: len(MAGIC)])!r}")
    require(len(blob) >= start + _DIGEST, f"a policy must have at least {start + _DIGEST} bytes, found {len(blob)}")
    body, digest = blob[:-_DIGEST], blob[-_DIGEST:]
    require(hashlib.sha256(body).digest() == digest, "a policy's checksum must match its bytes: it is damaged")
    (length,) = struct.unpack_from("<I", body, len(MAGIC))
    try:
        header: dict[str, Any] = json.loads(body[start : start + length])
        arrays = _arrays(header.pop("arrays"), memoryview(body)[start + length :])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"a policy must have a readable header, found one that is not: {error}") from error
    return header, arrays


def _arrays(listing: list[list[Any]], raw: memoryview) -> Arrays:
    arrays: Arrays = {}
    offset = 0
    for name, code, shape in listing:
        count = math.prod(shape)
        arrays[name] = np.frombuffer(raw, dtype=_DTYPES[code], count=count, offset=offset).reshape(shape).copy()
        offset += arrays[name].nbytes
    require(offset == len(raw), f"a policy's arrays must fill its bytes, found {len(raw) - offset} more")
    return arrays


def _code(array: npt.NDArray[Any]) -> str:
    code = f"{array.dtype.kind}{array.dtype.itemsize}"
    require(code in _DTYPES, f"arrays of a policy must be float64, int64 or uint8, found {array.dtype}")
    return code
