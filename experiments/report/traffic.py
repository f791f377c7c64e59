"""The share of traffic over time, in steps that a chart can show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from experiments.analysis.recent import DAY
from experiments.model import Micros
from experiments.report.values import Traffic
from experiments.store import TrafficBucket

MINUTE: Micros = 60_000_000
POINTS = 60
_STEPS: tuple[Micros, ...] = (
    *(10_000_000, 30_000_000),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 30, 60, 120, 180, 360, 720, 1440)),
)
"""Each that is longer than a width in which the store keeps traffic is a multiple of it."""


def step_over(span: Micros, *, points: int = POINTS) -> Micros:
    """The shortest round step that covers the span in ``points``; whole days beyond those.

    >>> [step_over(minutes * MINUTE) // MINUTE for minutes in (60, 61, 600, 7 * 1440)]
    [1, 2, 10, 180]
    """
    needed = span / points
    return next((step for step in _STEPS if step >= needed), math.ceil(needed / DAY) * DAY)


def shares_by(step: Micros, buckets: Sequence[TrafficBucket], variants: Sequence[str]) -> Traffic:
    """Return the buckets as each variant's share of the decisions of every step that has any."""
    counts: dict[Micros, Counter[str]] = {}
    for bucket in buckets:
        counts.setdefault(bucket.time // step * step, Counter())[bucket.variant] += bucket.decisions
    filled = sorted(time for time, count in counts.items() if count.total() > 0)
    decisions = tuple(counts[time].total() for time in filled)
    return Traffic(
        step_seconds=step // 1_000_000,
        times=tuple(filled),
        decisions=decisions,
        variants=tuple(variants),
        shares=tuple(
            tuple(counts[time][key] / whole for time, whole in zip(filled, decisions, strict=True)) for key in variants
        ),
    )


def total_shares(buckets: Sequence[TrafficBucket]) -> dict[str, float]:
    """Each variant's share of all decisions; nothing without decisions."""
    counts: Counter[str] = Counter()
    for bucket in buckets:
        counts[bucket.variant] += bucket.decisions
    whole = counts.total()
    return {key: count / whole for key, count in counts.items()} if whole > 0 else {}


def current_shares(latest: Sequence[TrafficBucket]) -> dict[str, float]:
    """The mean logged probability of each variant in the last bucket: where traffic goes, the luck of draws aside."""
    whole = sum(bucket.decisions for bucket in latest)
    return {bucket.variant: bucket.propensity_sum / whole for bucket in latest} if whole > 0 else {}
