"""How numbers and times look in a page: formatting only, every value comes from a report."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from dashboard.pages import policies
from experiments.model import MetricKind, Micros

NONE = "\N{EN DASH}"


def integer(value: float | None) -> str:
    """Thousands are set apart.

    >>> integer(1234567), integer(None)
    ('1,234,567', '–')
    """
    return NONE if value is None else f"{value:,.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage.

    >>> percent(0.12345), percent(1), percent(0.00012, 2)
    ('12.3%', '100.0%', '0.01%')
    """
    return NONE if value is None else f"{100 * value:.{digits}f}%"


def rate(value: float | None, kind: MetricKind | str) -> str:
    """A mean of the objective: a percentage of conversions, else a plain number.

    >>> rate(0.0312, "conversion"), rate(12.3456, "revenue")
    ('3.12%', '12.346')
    """
    if value is None:
        return NONE
    return percent(value, 2) if kind == MetricKind.CONVERSION else f"{value:,.3f}"


def moment(value: Micros | None) -> str:
    """A time in UTC, to the minute.

    >>> moment(1_700_000_000_000_000)
    '2023-11-14 22:13 UTC'
    """
    return NONE if value is None else datetime.fromtimestamp(value / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def clock_time(value: Micros) -> str:
    """The time of day in UTC, to the second.

    >>> clock_time(1_700_000_000_000_000)
    '22:13:20 UTC'
    """
    return datetime.fromtimestamp(value / 1e6, tz=UTC).strftime("%H:%M:%S UTC")


def points(share: float) -> str:
    """A share as a width of 0 to 100.

    >>> points(0.12345)
    '12.35'
    """
    return f"{100 * share:.2f}"


def sentence(text: str) -> str:
    """A phrase with a capital and a full stop.

    >>> sentence("a belief, not a proof")
    'A belief, not a proof.'
    """
    return text[:1].upper() + text[1:].rstrip(".") + "."


def duration(seconds: int) -> str:
    """A span in its largest whole unit.

    >>> duration(1800), duration(86400), duration(90)
    ('30 minutes', '1 day', '90 seconds')
    """
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def words(name: str) -> str:
    """A name from the code as words: ``linear_thompson`` becomes 'linear thompson'."""
    return name.replace("_", " ").replace(".", " ")


def pretty(value: Any) -> str:
    """JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


FILTERS = {
    "integer": integer,
    "percent": percent,
    "rate": rate,
    "moment": moment,
    "clock_time": clock_time,
    "points": points,
    "sentence": sentence,
    "policy_title": policies.title,
    "duration": duration,
    "words": words,
    "pretty": pretty,
}
