"""Thinning: which policy states need not be kept, since ``landit relearn`` brings them back."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.model import Micros

LAST = 20
HOUR: Micros = 3_600_000_000
DAY: Micros = 24 * HOUR


def superfluous(versions: Sequence[tuple[int, Micros]], *, now: Micros) -> list[int]:
    """Choose the versions whose states may go: beyond the last 20, all but the first an hour, after a day a day.

    >>> superfluous([(v, v * HOUR // 4) for v in range(28)], now=7 * HOUR)
    [1, 2, 3, 5, 6, 7]
    """
    ordered = sorted(versions)
    taken: set[tuple[Micros, Micros]] = set()
    drop = []
    for version, time in ordered[:-LAST]:
        span = HOUR if now - time < DAY else DAY
        bucket = (span, time // span)
        if bucket in taken:
            drop.append(version)
        taken.add(bucket)
    return drop
