"""Delays: what can be learned of decisions whose reward windows are still open.

A row whose reward stood at r at age a counts as F(a) of a row with the reward r seen so far: n += F(a), s += r, and
for linear families A += F(a)·xx', b += r·x. F is the share of the final reward that is seen by an age. Where rewards
come equally fast for every arm, E[r] = F(a)·E[final reward], so that s/n estimates what it will estimate in the end;
where they do not, the open rows mislead by as much as an arm's own F differs, and the closed ones set it right.

F is estimated from all rewards that came, pooled over arms: its estimate must not depend on what it is used to compare.
An open row shows only rewards whose delay is below its age, which would make delays look short; so each age is compared
with the next one among rows that are older than both:

    F(e_b) = Π_{c >= b} (1 - D_c / C_c),

D_c the rewards with a delay in [e_c, e_c+1) and C_c those with one below e_c+1, of rows at least e_c+1 old. With closed
rows alone this is the plain share. While none has closed, F is 1 at the oldest age with enough rewards: what is learned
then is who converts by that age, which moves to the window's end within the first window. Below :data:`ENOUGH` rewards
F is not known, and only closed rows are learned. Reference: Vernade, Cappé and Perchet, UAI 2017 (conversions weighted
by a known law of delays); Lagakos, Barraj and De Gruttola, Biometrika 75 (1988), section 2 (the estimate of F).

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
"""Rewards: F is then known to ±.07 (one standard error) where it is least certain."""


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
        (24, 25) rewards by the bucket of their delay and by that of their row's age; the last are closed rows. A
        reward that came in parts is counted in parts, which add up to 1.

    >>> law = Delays.none(576).add(np.array([0, 3, 3, 500]), np.full(4, 20.0))
    >>> law.known, law.seen(np.array([0, 1, 4, 576])).tolist()
    (True, [0.0, 0.25, 0.75, 1.0])
    """

    window: int
    counts: Floats

    def __post_init__(self) -> None:
        require(self.window > 0, f"window must be positive, found {self.window}")
        shape = (BUCKETS, BUCKETS + 1)
        require(self.counts.shape == shape, f"counts must have shape {shape}, found {self.counts.shape}")
        require(bool((np.isfinite(self.counts) & (self.counts >= 0)).all()), "counts must be finite and not negative")

    @classmethod
    def none(cls, window: int) -> Self:
        """Return what is known before any reward came."""
        return cls(window, np.zeros((BUCKETS, BUCKETS + 1)))

    def add(self, delays: Ints | Floats, shares: Floats, ages: Ints | Floats | None = None) -> Delays:
        """Return the sums with more rewards: what came after which delay in µs, in rows of which age (None: closed)."""
        column = np.full(len(delays), BUCKETS) if ages is None else _place(ages, self.window)
        cells = bucket(delays, self.window) * (BUCKETS + 1) + column
        return Delays(
            self.window, self.counts + np.bincount(cells, shares, self.counts.size).reshape(self.counts.shape)
        )

    def __add__(self, other: Delays) -> Delays:
        """Return the sums of both."""
        require(other.window == self.window, f"windows must be equal, found {self.window} and {other.window}")
        return Delays(self.window, self.counts + other.counts)

    @property
    def known(self) -> bool:
        """Whether enough rewards came."""
        _, below = self._compared()
        return float(below.max()) >= ENOUGH

    def seen(self, ages: Ints | Floats) -> Floats:
        """Return F at ages in µs: straight lines between the edges, 0 at age 0, and 1 from the window's end on.

        Raises
        ------
        InvalidInput
            Where F is not known.
        """
        within, below = self._compared()
        enough = np.flatnonzero(below >= ENOUGH)
        require(len(enough) > 0, f"at least {ENOUGH} rewards must have come, found {below.max():g}")
        compared = (np.arange(BUCKETS) <= enough[-1]) & (below > 0)
        kept = np.where(compared, 1.0 - within / np.where(below > 0, below, 1.0), 1.0)
        shares = np.cumprod(np.clip(kept, 0.0, 1.0)[::-1])[::-1]
        return np.asarray(np.interp(ages, edges(self.window), [0.0, *shares[1:], 1.0]))

    def _compared(self) -> tuple[Floats, Floats]:
        """Return (24,) D and C."""
        older = np.cumsum(self.counts[:, ::-1], axis=1)[:, ::-1][:, 1:]  # [d, c]: of rows at least e_c+1 old
        return np.diag(older).copy(), np.diag(np.cumsum(older, axis=0)).copy()


@runtime_checkable
class LearnsOpenRows(Protocol):
    """A policy that can answer as if it knew open rows as well."""

    def with_provisional(self, batch: Batch, fractions: Floats, *, default: float = 0.0) -> Self:
        """Return a copy that knows open rows; see :meth:`bandit.policy.SumPolicy.with_provisional`."""


def bucket(delays: Ints | Floats, window: int) -> Ints:
    """Return the bucket of each delay in µs; those outside the window count at its ends."""
    return np.minimum(_place(delays, window), BUCKETS - 1)


def _place(ages: Ints | Floats, window: int) -> Ints:
    """Return the last edge that each age has reached."""
    found = np.searchsorted(edges(window), np.asarray(ages, dtype=np.float64), side="right") - 1
    return np.asarray(np.clip(found, 0, BUCKETS), dtype=np.int64)


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
