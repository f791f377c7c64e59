"""Text to columns: each word is hashed to a column and a sign, so that a text of any words has one fixed width."""

from __future__ import annotations

import math
import re
from hashlib import blake2b
from typing import Any

from bandit.features.attributes import Attribute
from bandit.features.encoders import Encoder, Row
from bandit.validation import require

COLUMNS = 32
MOST_COLUMNS = 4096
_KEY = b"landit words"
_KEPT = 4096
"""Hashed words that are remembered; the common ones of a language are fewer."""

_words = re.compile(r"\w+").findall


class Text(Encoder):
    r"""Signed feature hashing of a text's words.

    φ_i(text) = Σ_{w: h(w) = i} ξ(w) / √n

    over the n distinct words w of the text, small and capital letters being the same; h(w) is a column and ξ(w) is +1
    or -1, both from one keyed hash that is the same in every process. Signs make collisions cancel out on average:
    the inner product of two texts is that of their words, without bias. A text with words has a norm near 1, however
    long it is; one without any is all 0, and known.

    It misleads where columns are few and words many: two words that share a column cannot be told apart.

    Reference: Weinberger, Dasgupta, Langford, Smola, Attenberg, "Feature Hashing for Large Scale Multitask Learning",
    ICML 2009, section 2.
    """

    def __init__(self, attribute: Attribute, first: int) -> None:
        self.width = COLUMNS if attribute.columns is None else attribute.columns
        require(
            isinstance(self.width, int) and 1 <= self.width <= MOST_COLUMNS,
            f"attribute {attribute.name}: columns must lie in [1, {MOST_COLUMNS}], found {self.width!r}",
        )
        super().__init__(attribute, first)
        self._salt = attribute.name.encode("utf-8", "surrogatepass") + b"\0"
        self._homes: dict[str, tuple[int, float]] = {}

    def suffixes(self) -> list[str]:
        """Return the numbers of the columns."""
        return [f"#{i}" for i in range(self.width)]

    def write(self, row: Row, value: Any) -> bool:
        """Add up the signs, which is exact in any order, then scale them."""
        if not isinstance(value, str):
            return False
        words = set(_words(value.casefold()))
        if not words:
            return True
        size = 1.0 / math.sqrt(len(words))
        homes = self._homes
        sums: dict[int, float] = {}
        for word in words:
            column, sign = homes.get(word) or self._home(word)
            sums[column] = sums.get(column, 0.0) + sign
        for column, total in sums.items():
            row[column] = total * size
        return True

    def _home(self, word: str) -> tuple[int, float]:
        """Return the column of a word, and its sign."""
        digest = blake2b(self._salt + word.encode("utf-8", "surrogatepass"), digest_size=8, key=_KEY).digest()
        number = int.from_bytes(digest, "little")
        home = self.first + (number >> 1) % self.width, 1.0 if number & 1 else -1.0
        if len(self._homes) >= _KEPT:
            self._homes = {}
        self._homes[word] = home
        return home
