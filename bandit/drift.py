"""Has the mean of a sequence risen? A test at every step whose false alarms are bounded for all time.

Values lie in [0, 1]: losses of forecasts, or rewards turned round. The history is kept in buckets that double in size
with age, as in ADWIN (Bifet and Gavaldà, SDM 2007), and every border between buckets is tried as the moment of change.
With n₀ values of mean m₀ before it, n₁ of mean m₁ after it, and m the mean of all n, the statistic is the likelihood
ratio of Bernoulli variables, the widest spread that values in [0, 1] can have,

    G = n₀·kl(m₀, m) + n₁·kl(m₁, m),        kl(p, q) = p log(p/q) + (1 - p) log((1 - p)/(1 - q)).

Under one common mean μ, G is at most the same with μ for m, and P(n₀·kl(m₀, μ) > x) ≤ 2e⁻ˣ (Chernoff), likewise after
the border. The sum of two independent variables with that tail exceeds x with probability at most

    (1 + y)·e⁻ʸ,        y = x - 2 log 2,

so that a threshold at which this is δ/(n(n + 1)·borders) raises a false alarm ever, at any step, with probability at
most δ. Only rises are told: losses of a forecaster that learns fall. Reference: Besson, Kaufmann, Maillard and Seznec,
JMLR 23 (2022), for the statistic; the bound is the elementary one above.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bandit.kernels.jit import kernel
from bandit.types import Floats
from bandit.validation import require

SIZES: Final = 40
"""Buckets hold 1, 2, 4, ... values: 2^40 of them are more than anybody has."""
PLACES: Final = 6
"""Buckets of one size before the oldest two become one of the next size."""


def history() -> Floats:
    """Return an empty history: (SIZES, PLACES + 1), in each row how many buckets there are, then their sums.

    A row holds the buckets of one size, the newest first.
    """
    return np.zeros((SIZES, PLACES + 1))


def rises(values: Floats, *, false_alarms: float = 0.01) -> list[int]:
    """Return the positions at which a rise is told; after each the history begins anew.

    Parameters
    ----------
    values
        (n,) numbers in [0, 1], in order.
    false_alarms
        δ in (0, 1): at most this is the probability that a sequence without change ever raises an alarm.

    >>> rises(np.r_[np.zeros(500), np.ones(100)])
    [504]
    """
    require(0 < false_alarms < 1, f"false_alarms must lie in (0, 1), found {false_alarms!r}")
    inside = bool(np.all((values >= 0) & (values <= 1)))
    require(inside, "values must lie in [0, 1]")
    kept, found = history(), []
    for at, value in enumerate(values.tolist()):
        if watch(kept, value, false_alarms):
            found.append(at)
            kept[:] = 0.0
    return found


@kernel
def watch(kept: Floats, value: float, false_alarms: float) -> bool:
    """Add a value to the history, and return whether the mean has risen at some border."""
    remember(kept, value)
    n, total, borders = 0.0, 0.0, -1.0
    for size in range(SIZES):
        places = int(kept[size, 0])
        if places == 0:
            break
        n += places * 2.0**size
        borders += places
        for place in range(places):
            total += kept[size, 1 + place]
    if borders < 1:
        return False
    return _largest(kept, n, total) > threshold(false_alarms / (n * (n + 1) * borders))


@kernel
def remember(kept: Floats, value: float) -> None:
    """Put a value in front; where a size has one bucket too many, its two oldest become one of the next size."""
    for size in range(SIZES):
        places = int(kept[size, 0])
        full = places == PLACES
        merged = kept[size, PLACES] + kept[size, PLACES - 1]
        if full:
            places -= 2
        for place in range(places, 0, -1):
            kept[size, 1 + place] = kept[size, place]
        kept[size, 1] = value
        kept[size, 0] = places + 1
        if not full:
            return
        kept[size, PLACES] = 0.0
        value = merged


@kernel
def _largest(kept: Floats, n: float, total: float) -> float:
    """Return the largest G over the borders after which the mean is higher than before."""
    largest, after, rise = 0.0, 0.0, 0.0
    pooled = total / n
    for size in range(SIZES):
        for place in range(int(kept[size, 0])):
            after += 2.0**size
            rise += kept[size, 1 + place]
            before = n - after
            if before > 0 and rise * before > (total - rise) * after:
                ratio = before * divergence((total - rise) / before, pooled) + after * divergence(rise / after, pooled)
                largest = max(largest, ratio)
    return largest


@kernel
def divergence(p: float, q: float) -> float:
    """Return kl(p, q) of two Bernoulli variables; rounding may bring p out of [0, 1], never q to its ends alone."""
    p = min(max(p, 0.0), 1.0)
    total = 0.0
    if p > 0:
        total += p * math.log(p / q)
    if p < 1 and q < 1:
        total += (1 - p) * math.log((1 - p) / (1 - q))
    return total


@kernel
def threshold(chance: float) -> float:
    """Return x at which (1 + y)e⁻ʸ = ``chance``, y = x - 2 log 2, by the fixed point y = log((1 + y)/chance)."""
    y = -math.log(chance)
    for _ in range(30):
        y = math.log1p(y) - math.log(chance)
    return y + 2 * math.log(2.0)
