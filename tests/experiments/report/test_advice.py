"""The one sentence on top: it ships what is proved best, after two whole weeks, and still ahead lately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.model import Proof, ProofKind, State
from experiments.report import Finding
from experiments.report.build import report_of
from experiments.report.course import DAY, Course
from experiments.report.facts import Facts
from tests.experiments.report.made import NOW, analysed, binary, experiment_of, facts_of, rows_of, sales

BANDIT = {"policy": {"name": "thompson"}}
GUARDED = [{"key": "purchase", "max": 1}, {"key": "bounce", "kind": "bounce", "role": "guardrail", "margin": 0.1}]
CONTEXT = [{"name": "device", "type": "category", "values": ["mobile", "desktop"]}]


@pytest.fixture(scope="module")
def clear() -> Facts:
    """A fixed split in which the new page sells three times as often, for twenty days."""
    experiment = experiment_of()
    return analysed(experiment, rows_of(experiment, sales(a=0.1, b=0.3)))


@pytest.fixture(scope="module")
def even() -> Facts:
    """A bandit whose variants hardly differ."""
    experiment = experiment_of(**BANDIT)
    return analysed(
        experiment, rows_of(experiment, sales(a=0.28, b=0.31), law=lambda n: (0.5, 0.5) if n % 2 else (0.4, 0.6))
    )


def proof(kind: ProofKind, variant: str = "b", **changes: Any) -> Proof:
    """A proof about the contents of today; of the best one of an A/B test."""
    made = Proof(kind, "purchase", variant, None, None, 900, NOW, 1, 0.1, 0.05, 0.15, 0.05)
    made = replace(made, rivals=tuple({"a", "b"} - {variant})) if kind is ProofKind.BEST else made
    return replace(made, **changes)


def test_what_is_proved_best_is_shipped(clear: Facts) -> None:
    """After two weeks and ahead over the last seven days, the sentence says since when, and by how much."""
    advice = report_of(clear).advice
    assert (advice.finding, advice.variant) == (Finding.SHIP, "b")
    assert advice.text.startswith("Ship 'New page': proved best on average since 2025-12-12, by +")


def test_a_proof_waits_for_two_whole_weeks(clear: Facts) -> None:
    """Before, it says for how long to wait."""
    facts = replace(clear, course=replace(clear.course, days=9.4))
    advice = report_of(facts).advice
    assert advice.finding is Finding.PROVED_BETTER
    assert advice.text.endswith("all been compared for two whole weeks yet. Keep running (about 5 days left).")
    assert report_of(facts).days_left == pytest.approx(4.6)


def test_what_fell_behind_lately_was_best() -> None:
    """Proved on average, but not ahead over the last seven days: it is not shipped."""
    experiment = experiment_of()
    rows = rows_of(experiment, sales(a=0.05, b=0.6), count=1_500)
    luck = np.random.default_rng(1)
    lately = sales(a=0.5, b=0.1)
    rows = [replace(row, outcomes=lately(row.variant, {}, luck)) if row.time > NOW - 7 * DAY else row for row in rows]
    report = report_of(analysed(experiment, rows))
    assert report.variants[1].recent is not None
    assert report.variants[1].recent < 0
    assert report.advice.finding is Finding.WAS_BEST
    assert report.advice.text.startswith("'New page' was best, recently not: proved best on average since 2025-12-12")


def test_best_is_said_by_stored_proofs_alone(clear: Facts) -> None:
    """Limits that leave zero out are no proof while none is stored."""
    advice = report_of(replace(clear, proofs=())).advice
    assert advice.finding is Finding.KEEP_RUNNING
    assert advice.text.endswith("no variant is proved better than the control yet.")


def test_a_proof_stays_though_limits_widen(even: Facts) -> None:
    """What was proved once is advice, whatever today's limits say."""
    facts = replace(even, proofs=(proof(ProofKind.BEST),), course=Course(since=NOW - 30 * DAY, days=30))
    assert report_of(facts).advice.finding is Finding.SHIP


def test_proofs_about_earlier_contents_are_history(even: Facts) -> None:
    """They are listed, and decide nothing."""
    report = report_of(replace(even, proofs=(proof(ProofKind.BEST, since=0),)))
    assert report.advice.finding is Finding.BELIEF_ONLY
    assert not report.proofs[0].current
    assert report.proofs[0].text.endswith("on average until 2026-01-01, of what version 0 showed.")


def test_keep_running_says_how_long(even: Facts) -> None:
    """About so many days are left, and a belief is called one."""
    report = report_of(even)
    assert report.days_left is not None
    assert report.days_left > 10
    assert report.advice.finding is Finding.BELIEF_ONLY
    assert report.advice.text.startswith("Keep running (about ")
    assert "which is a belief and not a proof" in report.advice.text


def test_nobody_waits_for_what_does_not_run(even: Facts) -> None:
    """A paused or stopped experiment has no days left."""
    for state in (State.PAUSED, State.STOPPED):
        report = report_of(replace(even, experiment=replace(even.experiment, state=state)))
        assert report.days_left is None
        assert "left" not in report.advice.text


@pytest.mark.parametrize(
    ("proofs", "definition", "finding", "words"),
    [
        (
            [proof(ProofKind.NO_DIFFERENCE, other="a", margin=0.05)],
            {"smallest_lift": 0.01},
            Finding.NO_DIFFERENCE,
            "No difference larger than 5% from the control 'Today's page' (proved, on average since",
        ),
        (
            [proof(ProofKind.WORSE, other="a")],
            {},
            Finding.PROVED_WORSE,
            "'New page': proved worse than the control 'Today's page'. Stop, and keep the control.",
        ),
        (
            [proof(ProofKind.BETTER, other="a")],
            {},
            Finding.PROVED_BETTER,
            "before it is shipped it should be proved best",
        ),
        (
            [proof(ProofKind.HARMED, metric="bounce", other="a", margin=0.2)],
            {"metrics": GUARDED},
            Finding.HARMED,
            "Unhealthy: 'New page' is proved to hurt the guardrail bounce by more than 20%, on average from",
        ),
        (
            [proof(ProofKind.PERSONALISED, "a"), proof(ProofKind.PERSONALISED, "b")],
            {"policy": {"name": "linear_thompson"}, "context": CONTEXT},
            Finding.PERSONALISED,
            "Choosing by visitor is proved better than any one variant for everybody, on average since",
        ),
        ([proof(ProofKind.BEST, "a")], {}, Finding.PROVED_BETTER, "seven days that were counted is not known"),
    ],
)
def test_each_proof_has_its_advice(
    proofs: list[Proof], definition: dict[str, Any], finding: Finding, words: str
) -> None:
    """Of what is stored, the sentence says what matters most."""
    facts = facts_of({"a": binary(900, 90), "b": binary(900, 91)}, experiment=experiment_of(**(BANDIT | definition)))
    advice = report_of(replace(facts, proofs=tuple(proofs), course=Course(since=NOW - 20 * DAY, days=20))).advice
    assert advice.finding is finding
    assert words in advice.text


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda f: replace(f, experiment=replace(f.experiment, winner="b")), Finding.FINISHED),
        (lambda f: replace(f, experiment=replace(f.experiment, state=State.DRAFT), moments={}), Finding.NO_DATA),
    ],
)
def test_what_comes_before_proofs(clear: Facts, change: Callable[[Facts], Facts], finding: Finding) -> None:
    """A winner that was shipped, and an experiment without rows, need no advice."""
    assert report_of(change(clear)).advice.finding is finding
