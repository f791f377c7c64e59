"""Each check finds what it is there for, and is silent where it has nothing to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.report import Finding, Level
from experiments.report.build import report_of
from experiments.report.course import DAY, Course
from experiments.report.facts import Facts
from experiments.store import Health
from tests.experiments.report.made import NOW, analysed, check_of, experiment_of, rows_of, sales

BANDIT = {"policy": {"name": "thompson"}}
AGE = {"context": [{"name": "age", "type": "number", "center": 40, "scale": 10}], "covariate": "age"}


def moving(number: int) -> tuple[float, float]:
    """Two weight vectors in turn."""
    return (0.5, 0.5) if number % 2 else (0.3, 0.7)


def level_of(facts: Facts, name: str) -> Level | None:
    """How much the check of that name matters; None where it was not made."""
    found = check_of(report_of(facts), name)
    return None if found is None else found.level


@pytest.mark.parametrize("policy", ["fixed", "thompson"])
def test_a_sound_log_is_said_to_be_sound(policy: str) -> None:
    """A fixed split by the split that was asked for, moving traffic by its propensities; never both."""
    experiment = experiment_of(policy={"name": policy})
    rows = rows_of(experiment, sales(a=0.2, b=0.2), law=None if policy == "fixed" else moving)
    facts = analysed(experiment, rows)
    levels = level_of(facts, "split"), level_of(facts, "propensities")
    assert levels == ((Level.OK, None) if policy == "fixed" else (None, Level.OK))


@pytest.mark.parametrize("policy", ["fixed", "thompson"])
def test_a_log_that_breaks_its_promise_forbids_reading_the_results(policy: str) -> None:
    """Where one variant loses half of its decisions, that is the advice, whatever else was proved."""
    experiment = experiment_of(policy={"name": policy})
    rows = rows_of(experiment, sales(a=0.1, b=0.4), count=3_000, law=None if policy == "fixed" else moving)
    kept = [row for row in rows if row.variant == "a" or row.seq % 2]
    facts = analysed(experiment, [replace(row, seq=number + 1) for number, row in enumerate(kept)])
    name = "split" if policy == "fixed" else "propensities"
    report = report_of(facts)
    check = check_of(report, name)
    assert check is not None
    assert check.level is Level.ALARM
    assert report.advice.finding is Finding.DATA_WRONG
    assert report.advice.text.startswith(f"Unhealthy: {check.message}")


@pytest.mark.parametrize(("crossed", "level"), [(0.01, Level.OK), (0.12, Level.WARNING)])
def test_units_that_saw_several_variants_are_counted(crossed: float, level: Level) -> None:
    """Above five in a hundred, differences are watered down."""
    experiment = experiment_of()
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2), count=800, crossed=crossed))
    assert level_of(facts, "crossing") is level


@pytest.mark.parametrize("definition", [{}, BANDIT])
@pytest.mark.parametrize(("shift", "level"), [(0.0, Level.OK), (15.0, Level.WARNING)])
def test_visitors_who_differed_before_are_noticed(definition: dict[str, Any], shift: float, level: Level) -> None:
    """A covariate that is known before exposure should be the same in all variants."""

    def older(variant: str, context: dict[str, Any], rng: np.random.Generator) -> dict[str, float]:
        context["age"] += shift if variant == "b" else 0.0
        return {"purchase": float(rng.random() < 0.2)}

    experiment = experiment_of(**(AGE | definition))
    facts = analysed(experiment, rows_of(experiment, older, law=moving if definition else None))
    assert level_of(facts, "bias") is level


def test_without_a_covariate_there_is_no_such_check() -> None:
    """Nor without rows."""
    plain, covariate = experiment_of(), experiment_of(**AGE)
    assert level_of(analysed(plain, rows_of(plain, sales(a=0.2, b=0.2), count=300)), "bias") is None
    assert level_of(analysed(covariate, []), "bias") is None


def test_late_rewards_say_that_the_window_is_too_short() -> None:
    """Every rate is too low by what comes late."""
    experiment = experiment_of()
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2), count=300))
    check = check_of(report_of(replace(facts, health=Health(decisions=300, rewards=60, late=9))), "late")
    assert check is not None
    assert check.level is Level.WARNING
    assert "Of 60 rewards 9 came after their window: delays are longer than 0.5 h" in check.message
    assert level_of(replace(facts, health=Health(decisions=300, rewards=60, late=1)), "late") is None


def test_changed_contents_are_dated() -> None:
    """What a variant shows was changed under its key: numbers count from then on."""
    experiment = experiment_of()
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2), count=300))
    assert level_of(facts, "contents") is None
    course = Course(since=NOW - 3 * DAY, version=4, days=3, changed=True)
    check = check_of(report_of(replace(facts, course=course)), "contents")
    assert check is not None
    assert "in version 4: visitors, rates, intervals and proofs count from 2025-12-29 on" in check.message


def test_too_little_exploration_says_how_long_a_proof_would_take() -> None:
    """A share below a fifth, and any share at which a provable winner is months away."""
    rates = sales(a=0.2, b=0.21)
    for exploration, words in [(0.05, "Only 5% of the traffic explores"), (0.3, "Only 30% of the traffic explores")]:
        experiment = experiment_of(**BANDIT, exploration=exploration)
        check = check_of(report_of(analysed(experiment, rows_of(experiment, rates, law=moving))), "exploration")
        assert check is not None
        assert check.level is Level.WARNING
        assert check.message.startswith(f"{words}: a provable winner is ")
    assert level_of(analysed(experiment_of(), rows_of(experiment_of(), rates, count=300)), "exploration") is None


def test_what_is_not_analysed_yet_is_said() -> None:
    """A check tells what is missing, and does not forbid reading the rest."""
    experiment = experiment_of()
    facts = analysed(experiment, rows_of(experiment, sales(a=0.2, b=0.2), count=300), missing="3 of 300 matured rows")
    check = check_of(report_of(facts), "analysis")
    assert check is not None
    assert (check.level, check.message) == (Level.INFO, "3 of 300 matured rows.")
