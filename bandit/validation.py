"""Checks at the door: each message repeats the broken condition and what was found."""

from __future__ import annotations


class InvalidInput(ValueError):
    """An argument breaks a stated condition; the message says which, and what was found."""


def require(condition: bool, message: str) -> None:
    """Raise :class:`InvalidInput` with ``message`` unless ``condition`` holds.

    >>> require(2 > 1, "two must exceed one")
    """
    if not condition:
        raise InvalidInput(message)
