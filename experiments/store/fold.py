"""Fold: the rewards of one analysis row become one number a metric (SEMANTICS §4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bandit.delays import bucket
from experiments.model import Metric, MetricKind, Micros


@dataclass(frozen=True, slots=True)
class Claim:
    """A reward that may count for a row."""

    id: int
    """Rises in the order of shipping."""
    decision: str
    """The decision that it is attached to: of repeats, the first."""
    metric: str
    key: str
    value: float
    time: Micros
    late: bool
    """It was shipped after the row was numbered."""
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Folded:
    """What the claims of a row come to."""

    outcomes: dict[str, float]
    counted: frozenset[int]
    """Ids of the rewards in them."""
    late: frozenset[int]
    """Ids of the rewards that came after their window."""


def fold(
    metrics: Sequence[Metric], claims: Iterable[Claim], *, time: Micros, until: Micros | None, cost: float = 0.0
) -> Folded:
    """Fold the claims of one row, in whatever order they come; ratios and rewards of other metrics are left out.

    Parameters
    ----------
    metrics
        The row's metrics, each with its window, default and cap.
    claims
        Rewards attached to the row.
    time
        When the row's decision was made.
    until
        The unit's next decision, where that ends the window.
    cost
        Of showing the row's variant once.
    """
    measured = [metric for metric in metrics if metric.has_outcome]
    keys = {metric.key for metric in measured}
    distinct = [claim for claim in _distinct(claims) if claim.metric in keys]
    outcomes: dict[str, float] = {}
    counted: set[int] = set()
    for metric in measured:
        end = window_end(metric, time=time, until=until)
        seen = [claim for claim in distinct if claim.time < end and not claim.late]
        own = [claim for claim in seen if claim.metric == metric.key]
        outcomes[metric.key] = _value(metric, seen if metric.kind is MetricKind.BOUNCE else own, cost)
        counted.update(claim.id for claim in own)
    return Folded(outcomes, frozenset(counted), frozenset({claim.id for claim in distinct} - counted))


def without_rewards(metric: Metric, *, cost: float) -> float:
    """Return the outcome of a row that got no reward at all."""
    return _value(metric, (), cost)


def delays_of(
    metric: Metric, claims: Iterable[Claim], *, time: Micros, until: Micros | None
) -> tuple[tuple[int, float], ...]:
    """Say which share of a row's outcome had come when: (bucket of ages, share), adding up to 1.

    Nothing for a row without reward, and for one whose window ended early: it does not say what comes late. Of a
    bounce, which any reward ends, only rewards under its own key are looked at.
    """
    if window_end(metric, time=time, until=until) < time + metric.window:
        return ()
    within = [claim for claim in claims if claim.metric == metric.key and claim.time < time + metric.window]
    final = fold([metric], within, time=time, until=None).outcomes[metric.key] - metric.nothing
    if final == 0:
        return ()
    buckets = bucket(np.array([claim.time - time for claim in within], dtype=np.int64), metric.window).tolist()
    shares: dict[int, float] = {}
    seen = 0.0
    for edge in sorted(set(buckets)):
        so_far = [claim for claim, at in zip(within, buckets, strict=True) if at <= edge]
        value = fold([metric], so_far, time=time, until=None).outcomes[metric.key] - metric.nothing
        # A score that goes up and down counts by its highest share so far: it was seen, if only in part.
        shares[edge] = max(min(value / final, 1.0) - seen, 0.0)
        seen += shares[edge]
    return tuple((edge, share) for edge, share in shares.items() if share > 0)


def window_end(metric: Metric, *, time: Micros, until: Micros | None) -> Micros:
    """When a reward of that metric comes too late; the window is half open."""
    end = time + metric.window
    return end if until is None else min(end, until)


def _distinct(claims: Iterable[Claim]) -> list[Claim]:
    """The first shipped of each (decision, metric, key)."""
    first: Mapping[tuple[str, str, str], Claim] = {
        (claim.decision, claim.metric, claim.key): claim
        for claim in sorted(claims, key=lambda claim: claim.id, reverse=True)
    }
    return list(first.values())


def _value(metric: Metric, claims: Sequence[Claim], cost: float) -> float:
    begin = cost if metric.kind is MetricKind.COST else 0.0
    if not claims:
        return begin + metric.nothing
    match metric.kind:
        case MetricKind.BOUNCE:
            return 0.0
        case MetricKind.CONVERSION:
            return float(any(claim.value != 0 for claim in claims))
        case MetricKind.SCORE:
            return max(claims, key=lambda claim: (claim.time, claim.id)).value
        case MetricKind.DURATION:
            return _capped(metric, max(claim.value for claim in claims))
        case _:
            return begin + _capped(metric, math.fsum(claim.value for claim in claims))  # exact, in whatever order


def _capped(metric: Metric, value: float) -> float:
    return value if metric.cap is None else min(value, metric.cap)
