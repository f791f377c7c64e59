"""The last eight days of the objective, a sum a day: was the variant ahead lately, too?

A direction, not a proof. 'Proved best' speaks of the average since the start; a variant may have become worse since.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bandit.types import Floats, Ints

DAYS = 8
"""Seven whole days, and the one that has just begun."""
DAY = 86_400_000_000
_EMPTY = -1


@dataclass(slots=True, eq=False)
class Recent:
    """Scores by day: of the newest eight days that rows came from; rows of older ones leave no trace.

    Parameters
    ----------
    sums
        (8, 2, K) how many rows had a chance of each variant, and the sum of their scores.
    days
        (8,) days since 1970, -1 where none.

    Examples
    --------
    >>> recent = Recent.cold(2)
    >>> recent.add(np.array([1, 2]) * DAY, np.full((2, 2), 0.5), np.array([[2.0, 0.0], [0.0, 1.0]]))
    >>> recent.contrast(0, 1), recent.contrast(0, 1, days=1)
    (0.5, -1.0)
    """

    sums: Floats
    days: Ints = field(default_factory=lambda: np.full(DAYS, _EMPTY, dtype=np.int64))

    @classmethod
    def cold(cls, arms: int) -> Recent:
        """Sums without a row."""
        return cls(np.zeros((DAYS, 2, arms)))

    def add(self, times: Ints, p: Floats, scores: Floats) -> None:
        """Add (n,) times in µs, (n, K) logged probabilities and (n, K) scores, in the order of rows."""
        days = times // DAY
        turns = np.flatnonzero(np.diff(days)) + 1
        for stretch in np.split(np.arange(len(days)), turns):
            place = self._place(int(days[stretch[0]])) if len(stretch) else None
            if place is None:
                continue
            opened = (p[stretch] > 0).astype(np.float64)
            where = np.full(len(stretch), place)
            np.add.at(self.sums[:, 0], where, opened)  # one row after the other: cuts leave no trace
            np.add.at(self.sums[:, 1], where, scores[stretch] * opened)

    def contrast(self, i: int, j: int, *, days: int = 7) -> float | None:
        """The difference of variants i and j over the last whole or begun ``days``; None without rows of both.

        The mean difference of each day, weighted by the rows that had a chance of both.
        """
        recent = (self.days > self.days.max() - days) & (self.days != _EMPTY)
        counts, totals = self.sums[recent, 0], self.sums[recent, 1]
        weights = np.minimum(counts[:, i], counts[:, j])
        if not weights.sum() > 0:
            return None
        means = totals / np.maximum(counts, 1.0)
        return float(weights @ (means[:, i] - means[:, j]) / weights.sum())

    def widened(self, places: list[int | None]) -> Recent:
        """These sums over another set of variants."""
        wider = Recent(np.zeros((DAYS, 2, len(places))), self.days.copy())
        new = [k for k, place in enumerate(places) if place is not None]
        wider.sums[:, :, new] = self.sums[:, :, [place for place in places if place is not None]]
        return wider

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The state as arrays, not copied."""
        return {"sums": self.sums, "days": self.days}

    def _place(self, day: int) -> int | None:
        """Where a day is summed; the oldest makes room for a new one, and is not taken up again."""
        known = np.flatnonzero(self.days == day)
        if len(known):
            return int(known[0])
        oldest = int(self.days.argmin())
        if day < self.days[oldest]:
            return None
        self.days[oldest] = day
        self.sums[oldest] = 0.0
        return oldest
