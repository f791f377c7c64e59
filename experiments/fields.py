"""What the fields of an experiment may hold: keys, amounts, times."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

# A plain $ would let a newline through at the end; this is the same end in JSON Schema and in Python.
KEY = r"^[a-z0-9][a-z0-9._-]{0,63}(?![\s\S])"
Key: TypeAlias = Annotated[str, Meta(pattern=KEY)]
LARGEST = 1e15
"""Of a reward in either direction, and of a weight: their squares and sums are far from overflow, and still exact."""
Amount: TypeAlias = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
ContextValue: TypeAlias = str | int | float | bool | list[str] | None
Micros: TypeAlias = int
"""Microseconds since 1970 UTC."""
