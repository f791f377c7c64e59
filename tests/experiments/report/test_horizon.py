"""About how many days are left: the same end, seen from nearer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.report.build import report_of
from experiments.report.course import DAY
from experiments.report.horizon import LONGEST
from tests.experiments.report.made import NOW, analysed, experiment_of, facts_of, rows_of, sales


@pytest.mark.parametrize("policy", ["fixed", "thompson"])
def test_the_end_stays_where_it_is(policy: str) -> None:
    """Twice the same rows in twice the time: a proof is expected on the same day after the start."""
    experiment = experiment_of(policy={"name": policy})
    law = None if policy == "fixed" else (lambda number: (0.5, 0.5) if number % 2 else (0.3, 0.7))
    rows = rows_of(experiment, sales(a=0.2, b=0.215), days=10.0, law=law)
    again = [replace(row, seq=row.seq + len(rows), decision=f"again-{row.seq}") for row in rows]
    earlier = [replace(row, time=row.time - 10 * DAY) for row in rows]
    half, whole = report_of(analysed(experiment, rows)), report_of(analysed(experiment, [*earlier, *again]))
    assert half.days_left is not None
    assert whole.days_left is not None
    assert whole.running_days == pytest.approx(2 * half.running_days, rel=0.01)
    assert half.days_left > 20
    assert half.running_days + half.days_left == pytest.approx(whole.running_days + whole.days_left, rel=0.1)


def test_ten_years_are_never() -> None:
    """Where nothing tells variants apart, no larger number is shown."""
    experiment = experiment_of()
    rows = rows_of(experiment, sales(a=0.5, b=0.5), count=600)
    for place, row in enumerate(rows):
        rows[place] = replace(row, variant="ab"[place % 2], outcomes={"purchase": float(place % 4 < 2)})
    report = report_of(analysed(experiment, rows))
    assert report.days_left == LONGEST
    assert (
        report.advice.text == "Keep running (more than a year left): no variant is proved better than the control yet."
    )


def test_without_an_analysis_nothing_is_foretold() -> None:
    """Nor without rows."""
    assert report_of(facts_of({})).days_left is None
    assert report_of(analysed(experiment_of(), [])).days_left is None
    assert report_of(replace(facts_of({}), now=NOW + DAY)).days_left is None
