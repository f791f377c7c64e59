"""How numbers and times look in a page: formatting only, every value comes from a report."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from dashboard.pages import measures, policies
from experiments.model import MetricKind, Micros, ProofKind
from experiments.report import Contrast

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
SHARES = frozenset({MetricKind.CONVERSION, MetricKind.BOUNCE})
"""Kinds whose mean is a share of visitors."""
PROOFS: dict[str, str] = {
    ProofKind.BEST: "proved best",
    ProofKind.BETTER: "proved better",
    ProofKind.WORSE: "proved worse",
    ProofKind.NOT_WORSE: "proved not worse",
    ProofKind.NO_DIFFERENCE: "proved no difference",
    ProofKind.HARMED: "proved hurt",
    ProofKind.PERSONALISED: "choosing proved better",
}


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


def rate(value: float | None, kind: MetricKind) -> str:
    """A mean of a metric: a percentage of what happened or not, seconds of a duration, else a plain number.

    >>> rate(0.0312, MetricKind.CONVERSION), rate(-12.3456, MetricKind.REVENUE), rate(41.27, MetricKind.DURATION)
    ('3.12%', '−12.346', '41.3 s')
    """
    if value is None:
        return NONE
    if kind in SHARES:
        text = percent(abs(value), 2)
    else:
        text = f"{_amount(abs(value), 1)} s" if kind is MetricKind.DURATION else _amount(abs(value), 3)
    return f"{MINUS}{text}" if value < 0 else text


def change(value: float | None, kind: MetricKind) -> str:
    """A difference of two means, with its sign; of two shares, in percentage points.

    >>> change(0.012, MetricKind.CONVERSION), change(-0.5, MetricKind.REVENUE)
    ('+1.20 pp', '−0.500')
    """
    if value is None:
        return NONE
    text = f"{100 * abs(value):.2f} pp" if kind in SHARES else rate(abs(value), kind)
    return f"{_sign(value)}{text}"


def lift(value: float | None) -> str:
    """A relative difference, with its sign.

    >>> lift(0.1234), lift(-0.05), lift(12.5), lift(None)
    ('+12.3%', '−5.0%', '+1,250%', '–')
    """
    if value is None:
        return NONE
    return f"{_sign(value)}{100 * abs(value):,.{0 if abs(value) >= 10 else 1}f}%"


def small(value: float) -> str:
    """A p-value, as far as it says something.

    >>> small(0.0312), small(1e-9)
    ('0.031', 'under 0.0001')
    """
    return "under 0.0001" if value < 1e-4 else f"{value:.2g}"


def leaning(contrast: Contrast | None, up: bool) -> str:
    """Whether limits say better (``good``), worse (``bad``) or neither (empty), where ``up`` is better.

    >>> leaning(None, True)
    ''
    """
    if contrast is None or contrast.low <= 0 <= contrast.high:
        return ""
    return "good" if (contrast.low > 0) == up else "bad"


def proof_word(kind: str | None) -> str:
    """What a proof says of a variant, in two or three words.

    >>> proof_word("best"), proof_word("not_worse")
    ('proved best', 'proved not worse')
    """
    return PROOFS.get(kind or "", f"proved {words(kind or '')}")


def day(value: Micros | None) -> str:
    """A day in UTC.

    >>> day(1_700_000_000_000_000)
    '2023-11-14'
    """
    return NONE if value is None else datetime.fromtimestamp(value / 1e6, tz=UTC).strftime("%Y-%m-%d")


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


def days(value: float) -> str:
    """About how many days.

    >>> days(0.3), days(1.2), days(17.4)
    ('less than a day', '1 day', '17 days')
    """
    whole = round(value)
    return "less than a day" if whole < 1 else f"{whole:,} day{'' if whole == 1 else 's'}"


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


def _amount(size: float, digits: int) -> str:
    """A plain number from 0 on, with fewer digits the larger it is; a tiny one with three that say something."""
    if 0 < size < 10**-digits:
        return f"{size:.3g}"
    return f"{size:,.{max(digits - len(str(int(size))) + 1, 0) if size >= 100 else digits}f}"


def _sign(value: float) -> str:
    return "+" if value > 0 else MINUS if value < 0 else ""


FILTERS = {
    "integer": integer,
    "percent": percent,
    "rate": rate,
    "change": change,
    "lift": lift,
    "small": small,
    "leaning": leaning,
    "kind_title": measures.KINDS.get,
    "sent": measures.SENT.get,
    "proof_word": proof_word,
    "day": day,
    "days": days,
    "moment": moment,
    "clock_time": clock_time,
    "points": points,
    "sentence": sentence,
    "policy_title": policies.title,
    "duration": duration,
    "words": words,
    "pretty": pretty,
}
