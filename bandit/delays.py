"""Delays: what can be learned of decisions whose reward windows are still open.

A row whose reward stood at r at age a counts as F(a) of a row with the reward r seen so far: n += F(a), s += r, and
for linear families A += F(a)·xx', b += r·x. F is the share of the final reward that is seen by an age. Where rewards
come equally fast for every arm, E[r] = F(a)·E[final reward], so that s/n estimates what it will estimate in the end;
where they do not, the open rows mislead by as much as an arm's own F differs, and the closed ones set it right.

F is estimated from rows whose windows have closed, pooled over arms: its estimate must not depend on what it is used
to compare. It says nothing before :data:`ENOUGH` of them were rewarded; until then only closed rows are learned.
Reference: Vernade, Cappé and Perchet, UAI 2017 (conversions weighted by a known law of delays); Chapelle, KDD 2014.

Never learn from the reward as it stood at one early age: an arm that converts more but slower then loses for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np

from bandit.types import Batch, Floats, Ints
from bandit.validation import require

BUCKETS = 24
ENOUGH = 50
"""Rewarded rows: F is then known to ±.07 (one standard error) where it is least certain."""


def edges(window: int) -> Floats:
    """Return the 25 ages in µs between which F is counted: quadratic, because most rewards come early.

    >>> edges(576)[[0, 1, 2, 24]]
    array([  0.,   1.,   4., 576.])
    """
    return np.asarray(window * np.arange(BUCKETS + 1, dtype=np.float64) ** 2 / BUCKETS**2)


@dataclass(frozen=True, slots=True, eq=False)
class Delays:
    """How long rewards take: sums over closed rows that were rewarded.

    Parameters
    ----------
    window
        The reward window in µs.
    counts
        (24,) rewarded rows by the bucket of ages in which their reward came. One whose reward came in parts is
        counted in parts, which add up to 1.

    >>> law = Delays.none(576).add(np.array([0, 3, 3, 500]), np.full(4, 20.0))
    >>> law.known, law.seen(np.array([0, 1, 4, 576])).tolist()
    (True, [0.0, 0.25, 0.75, 1.0])
    """

    window: int
    counts: Floats

    def __post_init__(self) -> None:
        require(self.window > 0, f"window must be positive, found {self.window}")
        require(self.counts.shape == (BUCKETS,), f"counts must have shape ({BUCKETS},), found {self.counts.shape}")
        require(bool(np.isfinite(self.counts).all()), "counts must be finite")

    @classmethod
    def none(cls, window: int) -> Self:
        """Return what is known before any row has closed."""
        return cls(window, np.zeros(BUCKETS))

    def add(self, delays: Ints, shares: Floats) -> Delays:
        """Return the sums with more rows: what came after which delay in µs."""
        return Delays(self.window, self.counts + np.bincount(bucket(delays, self.window), shares, BUCKETS))

    def __add__(self, other: Delays) -> Delays:
        """Return the sums of both."""
        require(other.window == self.window, f"windows must be equal, found {self.window} and {other.window}")
        return Delays(self.window, self.counts + other.counts)

    @property
    def known(self) -> bool:
        """Whether enough rewarded rows have closed."""
        return float(self.counts.sum()) >= ENOUGH

    def seen(self, ages: Ints | Floats) -> Floats:
        """Return F at ages in µs: straight lines between the edges, 0 at age 0, and 1 from the window's end on.

        Raises
        ------
        InvalidInput
            Where F is not known.
        """
        require(self.known, f"at least {ENOUGH} rewarded rows must have closed, found {self.counts.sum():g}")
        # A reward that was taken back counts negative: shares are kept within [0, 1], and from falling with age.
        shares = np.maximum.accumulate(np.clip(np.cumsum(self.counts) / self.counts.sum(), 0.0, 1.0))
        shares[-1] = 1.0
        return np.asarray(np.interp(ages, edges(self.window), [0.0, *shares]))


@runtime_checkable
class LearnsOpenRows(Protocol):
    """A policy that can answer as if it knew open rows as well."""

    def with_provisional(self, batch: Batch, fractions: Floats, *, default: float = 0.0) -> Self:
        """Return a copy that knows open rows; see :meth:`bandit.policy.SumPolicy.with_provisional`."""


def bucket(delays: Ints, window: int) -> Ints:
    """Return the bucket of each delay in µs; those outside the window count at its ends."""
    found = np.searchsorted(edges(window), np.asarray(delays, dtype=np.float64), side="right") - 1
    return np.asarray(np.clip(found, 0, BUCKETS - 1), dtype=np.int64)


def split(batch: Batch, fractions: Floats, default: float) -> tuple[Batch, Batch]:
    """Return rows to add and rows to take away, so that together each row counts F, with the reward seen so far.

    A row that shows no more than the ``default`` is F such rows. One that shows more is a whole row with what it
    shows, less 1 - F rows with the default: its reward is counted in full, and it weighs F.

    Raises
    ------
    InvalidInput
        For fractions that are not one in [0, 1] for each row.
    """
    good = fractions.shape == (len(batch),) and bool(((fractions >= 0) & (fractions <= 1)).all())
    require(good, f"fractions must be {len(batch)} numbers in [0, 1]")
    shown = batch.rewards != default
    whole = replace(batch, weights=batch.weights * np.where(shown, 1.0, fractions))
    less = Batch(
        contexts=batch.contexts[shown],
        arms=batch.arms[shown],
        rewards=np.full(int(shown.sum()), default),
        distributions=batch.distributions[shown],
        times=batch.times[shown],
        weights=(batch.weights * (1.0 - fractions))[shown],
    )
    return whole, less
