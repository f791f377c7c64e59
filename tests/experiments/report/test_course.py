"""From when on numbers count, and for how long an experiment ran since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.model import State
from experiments.report.course import DAY, contents_since, course_of
from experiments.store import ExperimentVersion
from tests.experiments.report.made import NOW, experiment_of, version_of

STATES = [(State.DRAFT, 0, {}), (State.RUNNING, 1, {}), (State.PAUSED, 4, {}), (State.RUNNING, 6, {})]


def versions(*extra: tuple[State, int, dict[str, Any]]) -> list[ExperimentVersion]:
    """Versions of an experiment: each its state, the day on which it began, and what the new page shows."""
    made = []
    for number, (state, day, content) in enumerate([*STATES, *extra], start=1):
        experiment = experiment_of(variants=[{"key": "a"}, {"key": "b", "content": content}])
        found = version_of(experiment, time=NOW + day * DAY)
        made.append(replace(found, version=number, state=state))
    return made


def test_pauses_do_not_count() -> None:
    """Three days before the pause and four after it; the draft's day was nobody's."""
    found = versions()
    assert contents_since(found) == 2
    course = course_of(found, (NOW + 1 * DAY, NOW + 9 * DAY), since=2, now=NOW + 10 * DAY)
    assert (course.since, course.days, course.changed) == (NOW + 1 * DAY, pytest.approx(7.0), False)


def test_other_contents_begin_anew() -> None:
    """What was changed in place while it ran counts from that version on; a change of a draft is none."""
    found = versions((State.RUNNING, 8, {"headline": "New"}))
    assert contents_since(found) == 5
    course = course_of(found, (NOW + 1 * DAY, NOW + 9 * DAY), since=5, now=NOW + 10 * DAY)
    assert (course.since, course.days, course.changed) == (NOW + 8 * DAY, pytest.approx(2.0), True)
    drafts = [replace(version, state=State.DRAFT) for version in found[:4]]
    assert contents_since([*drafts, found[4]]) == 5
    assert not course_of([*drafts, found[4]], None, since=5, now=NOW).changed


def test_an_imported_log_ran_as_long_as_its_rows_say() -> None:
    """There was nothing to start or to pause."""
    experiment = replace(experiment_of(), imported=True)
    found = [replace(version_of(experiment), state=State.STOPPED)]
    course = course_of(found, (NOW - 30 * DAY, NOW - 10 * DAY), since=1, now=NOW)
    assert course.days == pytest.approx(20.0)
