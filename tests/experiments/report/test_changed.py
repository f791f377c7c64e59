"""Experiments that were changed while they ran: a variant added, another content, a policy, long after the last row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from experiments.analysis import Analysis
from experiments.model import Experiment, Proof, ProofKind, State
from experiments.report import Finding
from experiments.report.build import report_of
from experiments.report.course import DAY, Course, contents_since, course_of
from experiments.report.facts import CHANGED, Facts, read_analysis
from experiments.store import AnalysisRow, AnalysisState, ExperimentVersion
from tests.experiments.report.made import NOW, analysed, check_of, experiment_of, facts_from, rows_of, sales, version_of

TWO: list[dict[str, Any]] = [{"key": "a", "control": True}, {"key": "b"}]
THREE = [*TWO, {"key": "c"}]


def version(number: int, **changes: Any) -> Experiment:
    """The experiment in one of its versions."""
    return replace(experiment_of(**changes), version=number)


def later(rows: Sequence[AnalysisRow], *, after: int, number: int) -> list[AnalysisRow]:
    """The rows as those of a later version, counted after so many."""
    return [replace(row, seq=row.seq + after, version=number, phase=number) for row in rows]


@pytest.fixture(scope="module")
def grown() -> Facts:
    """B is proved best of two over a month; of the third variant, added half a day ago, there are few rows."""
    before, after = version(1, variants=TWO), version(2, variants=THREE)
    old = [replace(row, time=row.time - DAY) for row in rows_of(before, sales(a=0.1, b=0.3), days=30)]
    facts = analysed(before, old)
    new = later(rows_of(after, sales(a=0.1, b=0.3, c=0.6), count=300, days=0.5, seed=1), after=len(old), number=2)
    assert facts.analysis is not None
    analysis = facts.analysis.fitted(after)
    analysis.add(new)
    return facts_from(after, [*old, *new], analysis, proofs=facts.proofs)


def test_a_best_one_is_not_best_of_those_that_came_later(grown: Facts) -> None:
    """Its proof is history, and says of whom it spoke; without the newcomer it is advice again."""
    report = report_of(grown)
    assert report.advice.finding is Finding.PROVED_BETTER
    assert "before it is shipped it should be proved best" in report.advice.text
    best = next(proof for proof in report.proofs if proof.kind is ProofKind.BEST)
    assert not best.current
    assert best.text.startswith("'b' is proved best by purchase among 'b' and 'a', on average from ")
    assert report.variants[1].contrast is not None
    assert report.variants[1].contrast.proved is ProofKind.BETTER
    off = experiment_of(variants=[*TWO, {"key": "c", "enabled": False}])
    facts = replace(grown, experiment=off, variants=off.definition.variants)
    assert report_of(facts).advice.text.startswith("Ship 'b': proved best on average since ")


def test_two_weeks_are_those_of_the_variants_compared(grown: Facts) -> None:
    """A month of a and b is half a day of c; the days that are left are from its first row on."""
    proof = Proof(ProofKind.BEST, "purchase", "c", None, None, 1, NOW, 1, 0.3, 0.2, 0.4, 0.05, rivals=("a", "b"))
    report = report_of(replace(grown, proofs=(proof,)))
    assert report.running_days > 29
    assert report.advice.finding is Finding.PROVED_BETTER
    assert "have not all been compared for two whole weeks yet. Keep running (about 14 days left)" in (
        report.advice.text
    )
    assert report.days_left == pytest.approx(13.5, abs=0.1)


def test_pauses_are_not_days_of_data() -> None:
    """Neither before nor after the first row of a variant."""
    course = Course(since=0, days=8, pauses=((2 * DAY, 4 * DAY), (9 * DAY, 11 * DAY)))
    assert (course.ran(0, 8 * DAY), course.ran(3 * DAY, 10 * DAY)) == (6.0, 5.0)


@pytest.mark.parametrize("window", [3_600, 10 * 86_400])
def test_what_was_best_long_ago_is_not_shipped(window: int) -> None:
    """A week after the last visitor who could have been counted, 'lately' is not known."""
    experiment = version(1, variants=TWO, metrics=[{"key": "purchase", "window_seconds": window}])
    facts = analysed(experiment, rows_of(experiment, sales(a=0.1, b=0.3)))
    end = NOW + window * 1_000_000
    assert report_of(replace(facts, now=end + 6 * DAY)).advice.finding is Finding.SHIP
    advice = report_of(replace(facts, now=end + 8 * DAY)).advice
    assert advice.finding is Finding.PROVED_BETTER
    assert "how it does now is not known: the last visitor counted came on 2025-12-31. Keep running." in advice.text


def test_a_proof_keeps_its_margin_and_its_dates() -> None:
    """Whatever the definition asks for today."""
    made = Proof(ProofKind.NOT_WORSE, "purchase", "b", "a", None, 9, NOW, 1, 0.0, -0.04, None, 0.05)
    proofs = [
        replace(made, margin=0.05, first=NOW - 9 * DAY),
        replace(made, kind=ProofKind.NO_DIFFERENCE, margin=0.5),
        replace(made, kind=ProofKind.PERSONALISED, other=None),
        made,
    ]
    experiment = version(1, variants=TWO, smallest_lift=0.01)
    report = report_of(analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2), count=300), proofs=tuple(proofs)))
    assert [proof.text for proof in report.proofs] == [
        "'b' is proved at most 5% worse than 'a' by purchase, on average from 2025-12-23 to 2026-01-01.",
        "'b' and 'a' are proved to differ by less than 50% in purchase, on average from 2025-12-12 to 2026-01-01.",
        "Choosing by visitor is proved better than 'b' for everybody by purchase, "
        "on average from 2025-12-12 to 2026-01-01.",
        "'b' is proved not worse than 'a' by purchase, on average from 2025-12-12 to 2026-01-01.",
    ]
    assert report.to_json()["proofs"][0]["first"] == "2025-12-23T00:00:00.000000Z"
    assert report.advice.text.startswith("No difference larger than 50% from the control 'a'")


def test_choosing_by_visitor_is_for_policies_that_can() -> None:
    """Once the policy sees nobody, what choosing proved is history, not advice."""
    experiment = version(1, variants=TWO)
    made = Proof(ProofKind.PERSONALISED, "purchase", "a", None, None, 9, NOW, 1, 0.1, 0.05, 0.2, 0.05)
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2), count=300))
    report = report_of(replace(facts, proofs=(made, replace(made, variant="b"))))
    assert report.advice.finding is Finding.KEEP_RUNNING


def test_harm_is_against_the_control_of_today() -> None:
    """What was proved against another variant, or of other contents, takes nothing out."""
    metrics = [{"key": "purchase"}, {"key": "bounce", "kind": "bounce", "role": "guardrail"}]
    experiment = version(1, variants=THREE, metrics=metrics)
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2, c=0.2), count=300))
    made = Proof(ProofKind.HARMED, "bounce", "b", "a", None, 9, NOW, 1, 0.1, 0.05, 0.2, 0.05)
    assert report_of(replace(facts, proofs=(made,))).advice.finding is Finding.HARMED
    for other in (replace(made, other="c"), replace(made, since=2)):
        assert report_of(replace(facts, proofs=(other,))).advice.finding is Finding.KEEP_RUNNING


@pytest.fixture(scope="module")
def edited() -> tuple[Facts, list[ExperimentVersion], list[AnalysisRow]]:
    """A stopped split: b sold four times as often, then was changed, and sells like a."""
    old, new = (version(n, variants=[TWO[0], {"key": "b", "content": {"x": n}}]) for n in (1, 2))
    before = [replace(row, time=row.time - 30 * DAY) for row in rows_of(old, sales(a=0.1, b=0.4))]
    after = later(rows_of(new, sales(a=0.1, b=0.1), seed=4), after=len(before), number=2)
    analysis = Analysis.begun(old, since=1)
    analysis.add(before)
    analysis = analysis.fitted(new)
    analysis.add(after)
    versions = [version_of(old, time=before[0].time), version_of(new, phase=2, time=after[0].time)]
    course = course_of(versions, (before[0].time, NOW), since=contents_since(versions), now=NOW)
    stopped = replace(new, state=State.STOPPED)
    return facts_from(stopped, [*before, *after], analysis, course=course), versions, after


def test_changed_contents_are_counted_from_their_change_on(
    edited: tuple[Facts, list[ExperimentVersion], list[AnalysisRow]],
) -> None:
    """Visitors, rates, beliefs and the test of one look are of the rows since, and of no others."""
    facts, _, after = edited
    report, b = report_of(facts), report_of(facts).variants[1]
    own = [row.outcomes["purchase"] for row in after if row.variant == "b"]
    assert (b.visitors, b.total) == (len(own), sum(own))
    assert (report.metrics[0].variants[1].rows, report.rows) == (len(own), facts.rows)
    assert b.belief_best is not None
    assert b.belief_best < 0.95
    assert b.contrast is not None
    assert b.contrast.final is not None
    assert b.contrast.final.p_value > 0.05


def test_without_an_analysis_changed_contents_are_not_compared(
    edited: tuple[Facts, list[ExperimentVersion], list[AnalysisRow]],
) -> None:
    """The sums hold rows of both: no limits, no final test, no belief, no proof, and the page says so."""
    report = report_of(replace(edited[0], analysis=None, proofs=()))
    b = report.variants[1]
    assert (b.interval, b.contrast, b.belief_best) == (f"not shown: {CHANGED}", None, None)
    assert report.belief == f"not shown: {CHANGED}"
    assert "proved better than the control '" not in report.advice.text
    check = check_of(report, "contents")
    assert check is not None
    assert check.message.endswith("are still those of before and after together, and nothing is compared.")


class Shelf:
    """A store that has one analysis, and the versions of its experiment."""

    def __init__(self, analysis: Analysis, versions: list[ExperimentVersion]) -> None:
        self._analysis, self._versions = analysis, versions

    def analysis_state(self, experiment_id: int) -> AnalysisState:
        """The analysis."""
        return AnalysisState(experiment_id, self._analysis.seq, self._analysis.to_bytes(), NOW)

    def versions(self, key: str) -> list[ExperimentVersion]:
        """All of them."""
        return self._versions


def test_an_analysis_is_read_version_by_version() -> None:
    """A content that was changed and changed back counts from the first change on, as the keeper counts it."""
    contents = [{"x": 1}, {"x": 2}, {"x": 1}]
    made = [version(n, variants=[TWO[0], {"key": "b", "content": shown}]) for n, shown in enumerate(contents, start=1)]
    analysis = Analysis.begun(made[0], since=1)
    analysis.add(rows_of(made[0], sales(a=0.1, b=0.4), count=300))
    shelf = Shelf(analysis, [version_of(experiment, phase=experiment.version) for experiment in made])
    found, _ = read_analysis(shelf, made[2], rows=300)
    assert found is not None
    assert (found.since, found.rows) == (3, 0)


def test_two_good_ones_that_are_alike_need_no_year() -> None:
    """Where the best of several is far from proved, each that is proved better than the control is named."""
    experiment = version(1, variants=THREE)
    facts = analysed(experiment, rows_of(experiment, sales(a=0.1, b=0.3, c=0.3), count=3_000))
    report = report_of(facts)
    assert report.days_left is not None
    assert report.days_left > 90
    assert ": keep running, or settle for one that is proved better than the control ('b', 'c')." in (
        report.advice.text
    )


def test_a_proof_of_one_day_names_that_day() -> None:
    """And one of contents of an unknown past says until when."""
    made = Proof(ProofKind.BETTER, "purchase", "b", "a", None, 9, NOW, 1, 0.1, 0.05, None, 0.05, first=NOW)
    experiment = version(1, variants=TWO)
    rows = rows_of(experiment, sales(a=0.2, b=0.2), count=300)
    proofs = (made, replace(made, since=0), replace(made, since=0, first=0))
    assert [
        proof.text.split(" on average ")[1] for proof in report_of(analysed(experiment, rows, proofs=proofs)).proofs
    ] == [
        "on 2026-01-01.",
        "on 2026-01-01, of what version 0 showed.",
        "until 2026-01-01, of what version 0 showed.",
    ]
