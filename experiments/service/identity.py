"""Names: what a key may look like, and the ids of decisions."""

from __future__ import annotations

import re
from os import urandom

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

_VERSION = 7 << 76
_VARIANT = 2 << 62
_RAND_A = ((1 << 12) - 1) << 64
_RAND_B = (1 << 61) - 1  # the top bit starts at 0, so counting up within a millisecond never overflows


def valid_key(text: str) -> bool:
    """Whether ``text`` may name an experiment, a variant, a metric or an attribute.

    >>> valid_key("spring-landing"), valid_key("Spring landing")
    (True, False)
    """
    return _KEY.fullmatch(text) is not None


class DecisionIds:
    """UUIDv7 as 32 hex digits, strictly increasing within a process (RFC 9562, section 6.2, method 2).

    The first id of a millisecond has 73 random bits; the next ones count up from it. A clock that steps back
    reuses the last millisecond. One thread at a time may ask: a worker does under the lock of its journal.
    """

    __slots__ = ("_last", "_millisecond")

    def __init__(self) -> None:
        self._millisecond = -1
        self._last = 0

    def next(self, now: int) -> str:
        """The next id at ``now``, microseconds since 1970 UTC."""
        millisecond = now // 1000
        if millisecond > self._millisecond:
            self._millisecond = millisecond
            noise = int.from_bytes(urandom(10), "big")
            self._last = millisecond << 80 | _VERSION | noise & _RAND_A | _VARIANT | noise & _RAND_B
        else:
            self._last += 1
        return self._last.to_bytes(16, "big").hex()
