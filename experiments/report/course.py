"""How long an experiment has run, and from when on its numbers count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from experiments.analysis.recent import DAY
from experiments.model import Micros, State
from experiments.store import ExperimentVersion

WEEK: Micros = 7 * DAY
YEAR = 366.0
WHOLE_WEEKS = 14.0
"""Days of data that a proof waits for before it is advice: every weekday twice, as visitors of a Sunday are others."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Course:
    """When the present contents began to be shown, and for how long they were."""

    since: Micros | None = None
    """None before the first decision."""
    version: int = 1
    """The experiment's version with these contents."""
    days: float = 0.0
    """Days of running since, pauses left out."""
    changed: bool = False
    """Whether a variant showed something else under its key before."""
    pauses: tuple[tuple[Micros, Micros], ...] = ()
    """From when to when it did not run since."""

    @property
    def date(self) -> str:
        """The day on which it began, in UTC."""
        return "the start" if self.since is None else date(self.since)

    def ran(self, start: Micros, end: Micros) -> float:
        """Return the days of running between two times.

        >>> Course(days=9.0, pauses=((2 * DAY, 5 * DAY),)).ran(1 * DAY, 8 * DAY)
        4.0
        """
        paused = sum(max(min(until, end) - max(begun, start), 0) for begun, until in self.pauses)
        return min(max(end - start - paused, 0) / DAY, self.days)


def date(time: Micros) -> str:
    """Return the day in UTC.

    >>> date(1_767_225_600_000_000)
    '2026-01-01'
    """
    return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%d")


def days(count: float) -> str:
    """Return a rounded number of days in words.

    >>> days(0.2), days(11.6), days(4000)
    ('about 1 day', 'about 12 days', 'more than a year')
    """
    whole = max(round(count), 1)
    return "more than a year" if count > YEAR else f"about {whole} day{'' if whole == 1 else 's'}"


def course_of(
    versions: Sequence[ExperimentVersion], span: tuple[Micros, Micros] | None, *, since: int, now: Micros
) -> Course:
    """Read an experiment's course from its versions and from the first and the last time of traffic.

    Parameters
    ----------
    versions
        All versions, in their order.
    span
        Of all traffic; None without any.
    since
        The version from which on rows count.
    now
        The time of asking.
    """
    changed = since > started(versions)
    if span is None:
        return Course(version=since, changed=changed)
    since_time = next((version.time for version in versions if version.version == since and changed), span[0])
    begun = max(since_time, span[0])
    if not versions or versions[-1].experiment.imported:
        return Course(since=begun, version=since, days=max(span[1] - begun, 0) / DAY, changed=changed)
    ends = [*(version.time for version in versions[1:]), now]
    parts = [(version.state, max(version.time, begun), end) for version, end in zip(versions, ends, strict=True)]
    ran = sum(max(end - start, 0) for state, start, end in parts if state is State.RUNNING)
    pauses = tuple((start, end) for state, start, end in parts if state is not State.RUNNING and start < end)
    return Course(since=begun, version=since, days=ran / DAY, changed=changed, pauses=pauses)


def started(versions: Sequence[ExperimentVersion]) -> int:
    """Return the first version that was no draft: decisions are of that one or of a later one."""
    return next((version.version for version in versions if version.state is not State.DRAFT), 1)


def contents_since(versions: Sequence[ExperimentVersion]) -> int:
    """Return the version in which a variant's content was last changed under its key; else the one that started."""
    since = started(versions)
    for before, after in pairwise(versions):
        old = {variant.key: variant.content for variant in before.experiment.definition.variants}
        new = after.experiment.definition.variants
        if any(variant.key in old and old[variant.key] != variant.content for variant in new):
            since = max(since, after.version)
    return since
