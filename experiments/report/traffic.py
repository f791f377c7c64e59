"""The share of traffic over time: minute buckets coarsened to what a chart can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from experiments.model import Micros
from experiments.report.values import Traffic
from experiments.store import TrafficBucket

MINUTE: Micros = 60_000_000
POINTS = 60
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)


def coarsen(buckets: Sequence[TrafficBucket], variants: Sequence[str], *, points: int = POINTS) -> Traffic:
    """Add the buckets up in steps of round minutes, such that there are at most about ``points`` of them."""
    times = [bucket.time for bucket in buckets]
    step = _step(max(times) - min(times), points) if times else MINUTE
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
    return {key: count / whole for key, count in counts.items()} if whole else {}


def current_shares(buckets: Sequence[TrafficBucket]) -> dict[str, float]:
    """The mean logged probability of each variant in the last bucket with decisions: where traffic goes, luck aside."""
    latest = max((bucket.time for bucket in buckets if bucket.decisions > 0), default=None)
    last = [bucket for bucket in buckets if bucket.time == latest]
    whole = sum(bucket.decisions for bucket in last)
    return {bucket.variant: bucket.propensity_sum / whole for bucket in last}


def _step(span: Micros, points: int) -> Micros:
    """The shortest round step that covers the span in ``points``; whole days beyond those."""
    needed = span / points / MINUTE
    minutes = next((choice for choice in _MINUTES if choice >= needed), None)
    return MINUTE * (-(-int(needed) // 1440) * 1440 if minutes is None else minutes)
