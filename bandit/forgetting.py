"""Forgetting: what was learned counts half after every half-life, counted in decisions, in hours, or in both.

With half-life h in rows, row i of N rows counts w_i·2^(-(N - 1 - i)/h): the last one counts whole. With half-life H in
hours it counts w_i·2^(-(T - t_i)/H), T the latest time of any row that was learned; a row that comes late counts what
it would count had it come in time. Every sum is scaled alike, so a policy forgets arms that it does not show, too,
and comes back to its prior. Reference: Garivier and Moulines, ALT 2011 (discounted UCB); Russac, Vernade and Cappé,
NeurIPS 2019 (the same for linear policies).

What then holds, and what not (both half-lives are 0, never, unless set, and then nothing here is computed at all):

- Learning in steps gives what learning at once gives, to rounding (1e-9), but not to the last bit.
- With a half-life in hours alone, the order of rows does not matter and parts merge, both to rounding.
- With one in decisions, merging is refused: nobody knows whose rows came first.
- Save, load, continue stays bit-identical: T is part of the state, as ``clock``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bandit.parameters import Parameter
from bandit.serialization import Arrays
from bandit.types import Batch, Floats

HOUR = 3_600_000_000
"""In microseconds."""
CLOCK = "clock"
"""The name of T in a state: (1,) int64, microseconds since 1970 UTC; only there where a half-life counts hours."""
TINY = 1e-100
"""Sums below this are nothing: ever smaller ones would slow every processor down, and never reach 0."""

FORGETTING = (
    Parameter("half_life", 0.0, 0.0, 1e12, "decisions", "after so many, a decision counts half; 0: it never fades"),
    Parameter("half_life_hours", 0.0, 0.0, 1e6, "hours", "after so many, a decision counts half; 0: it never fades"),
)


class Forgetting:
    """The half-lives of a policy.

    Parameters
    ----------
    params
        Values of the policy's parameters; without those of :data:`FORGETTING` nothing fades.

    >>> Forgetting({"half_life": 1000.0}).active, Forgetting({}).active
    (True, False)
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._rows = float(params.get("half_life", 0.0))
        self._time = float(params.get("half_life_hours", 0.0)) * HOUR

    @property
    def active(self) -> bool:
        """Whether anything fades."""
        return self._rows > 0 or self._time > 0

    @property
    def timed(self) -> bool:
        """Whether it fades with time, so that a clock is part of the state."""
        return self._time > 0

    @property
    def mergeable(self) -> bool:
        """Whether parts add up to the whole."""
        return self._rows == 0

    def fade(self, state: Arrays, batch: Batch) -> Batch:
        """Let ``state`` fade, in place, to the end of a batch, and return the batch with what each row then counts.

        >>> from bandit.types import Batch
        >>> state = {"n": np.array([8.0])}
        >>> zeros = np.zeros(2, dtype=np.int64)
        >>> batch = Batch(np.zeros((2, 0)), zeros, np.zeros(2), np.ones((2, 1)), zeros, np.ones(2))
        >>> Forgetting({"half_life": 1.0}).fade(state, batch).weights, state["n"]
        (array([0.5, 1. ]), array([2.]))
        """
        if not self.active:
            return batch
        clock = max(_clock(state), int(batch.times.max()))
        for name, array in self.aged(state, clock, rows=len(batch)).items():
            state[name][...] = array
        later = np.arange(len(batch) - 1, -1, -1, dtype=np.float64)
        elapsed = np.asarray(clock - batch.times, dtype=np.float64)
        return replace(batch, weights=batch.weights * self._share(later, elapsed))

    def aged(self, state: Arrays, clock: int, *, rows: int = 0) -> Arrays:
        """Return the state as it is worth at a later time, so many rows later."""
        aged = {name: array.copy() for name, array in state.items()}
        elapsed = clock - _clock(state) if self.timed else 0
        scale(aged, float(self._share(np.float64(rows), np.float64(elapsed))))
        if self.timed:
            aged[CLOCK][0] = clock
        return aged

    def added(self, first: Arrays, second: Arrays) -> Arrays:
        """Return the sum of two states, as of the later one's time."""
        if self.timed:
            clock = max(_clock(first), _clock(second))
            first, second = self.aged(first, clock), self.aged(second, clock)
        return {name: array if name == CLOCK else array + second[name] for name, array in first.items()}

    def _share(self, rows: Floats | np.float64, elapsed: Floats | np.float64) -> Any:
        """Return what a row counts after so many more rows and microseconds."""
        halvings = np.zeros_like(elapsed)
        with np.errstate(over="ignore"):  # an absurdly short half-life: all is forgotten
            if self._rows > 0:
                halvings = halvings + rows / self._rows
            if self._time > 0:
                halvings = halvings + elapsed / self._time
        return np.exp2(-halvings)


def scale(state: Arrays, factor: float) -> None:
    """Multiply every sum, in place."""
    for array in state.values():
        if array.dtype == np.float64:
            np.multiply(array, factor, out=array)
            array[np.abs(array) < TINY] = 0.0


def _clock(state: Arrays) -> int:
    return int(state[CLOCK][0]) if CLOCK in state else 0
