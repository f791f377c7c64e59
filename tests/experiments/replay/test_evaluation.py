"""Evaluation of logs: known truth, and each refusal with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from experiments.errors import CannotEstimate, Invalid, NotFound
from experiments.replay import Log, Recorded, evaluate, read_log

Make = Callable[..., dict[str, Any]]
Open = Callable[[dict[str, Any]], Log]


def values(log: Log, target: str, **kwargs: Any) -> dict[str, Any]:
    """The estimates by name."""
    return {one.estimator.value: one for one in evaluate(log, target=target, **kwargs).estimates}


def test_known_truth_is_found(columns: Make, parquet_log: Open) -> None:
    """Always variant b earns .35 on average: every estimator is within four standard errors, DM within .02."""
    found = values(parquet_log(columns(20_000)), "variant:b", reward_model="crossfit:ridge")
    for name, one in found.items():
        assert abs(one.estimate.value - 0.35) < (0.02 if name == "dm" else 4 * one.estimate.stderr)


def test_a_learned_policy_is_judged_by_rows_that_did_not_teach_it(columns: Make, parquet_log: Open) -> None:
    """The best contextual policy earns .5: LinUCB learns it from the first half, and the second half shows it."""
    report = evaluate(parquet_log(columns(8000)), target="policy:linucb", estimators=["ips", "dr"])
    assert (report.rows, report.learned_from) == (4000, 4000)
    for one in report.estimates:
        assert abs(one.estimate.value - 0.5) < 4 * one.estimate.stderr
        assert one.difference.low > 0


def test_the_logged_policy_is_itself(columns: Make, parquet_log: Open) -> None:
    """Target ``logged``: weights of 1, every row effective, no difference."""
    report = evaluate(parquet_log(columns(500)), target="logged", estimators=["ips", "snips"])
    assert report.effective_sample_size == pytest.approx(500)
    assert report.max_weight == pytest.approx(1.0)
    for one in report.estimates:
        assert one.estimate.value == pytest.approx(report.logged.value)
        assert one.difference.value == pytest.approx(0.0, abs=1e-12)


def test_without_propensities_only_what_needs_none_is_estimated(columns: Make, parquet_log: Open) -> None:
    """IPS, SNIPS and DR are refused with the reason, DM is shown, and no weight is invented."""
    log = columns(500)
    for name in ("probability", "variants", "distribution"):
        del log[name]
    report = evaluate(parquet_log(log), target="uniform")
    assert [one.estimator.value for one in report.estimates] == ["dm"]
    assert [one.estimator.value for one in report.refused] == ["ips", "snips", "dr"]
    assert all("the log has none" in one.reason for one in report.refused)
    assert (report.effective_sample_size, report.max_weight, report.sum_of_weights) == (None, None, None)
    with pytest.raises(CannotEstimate, match=r"ips weights rows by the probability .* and the log has none"):
        evaluate(parquet_log(log), target="uniform", estimators=["ips"])


@pytest.mark.parametrize("wrong", [0.0, -0.2, 1.5, math.nan, math.inf, None])
def test_a_wrong_probability_is_refused_with_its_row(columns: Make, parquet_log: Open, wrong: float | None) -> None:
    """Zero, negative, above one, NaN, infinite or missing: never taken for 1."""
    log = columns(300)
    del log["variants"], log["distribution"]
    log["probability"][122] = wrong
    with pytest.raises(Invalid, match=r"Row 123 of the log: its probability must be in \(0, 1\]"):
        evaluate(parquet_log(log), target="uniform", estimators=["ips"])


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("reward", math.nan, "its reward must be a finite number"),
        ("reward", 1e16, "its reward must be a finite number"),
        ("reward", None, "its reward must be a finite number"),
        ("variant", "z", "its variant is missing or none of the log's"),
        ("distribution", [0.5, 0.6, 0.2], "its distribution must sum to 1"),
        ("distribution", [1.2, -0.2, 0.0], "its distribution must not be negative"),
        ("probability", 0.11, "its probability must be the chosen variant's"),
    ],
)
def test_a_wrong_row_is_refused_with_its_number(
    columns: Make, parquet_log: Open, column: str, value: object, rule: str
) -> None:
    """What a row cannot mean is an error that names the row."""
    log = columns(300)
    log[column][41] = value
    if column == "variant":
        del log["variants"], log["distribution"], log["probability"]
        log[column][41] = None
    with pytest.raises(Invalid, match=f"Row 42 of the log: {rule}"):
        evaluate(parquet_log(log), target="uniform")


def restrict(log: dict[str, Any], rows: int) -> None:
    """In the first rows variant c could not be chosen."""
    for row in range(rows):
        if log["variant"][row] == "c":
            log["variant"][row] = "a"
        log["distribution"][row] = [0.5, 0.5, 0.0]
        log["probability"][row] = 0.5


def test_partial_support_refuses_weighting_and_widens_the_rest(columns: Make, parquet_log: Open) -> None:
    """U = 1/3 of 6 % of the rows: IPS and SNIPS are refused, DR's interval is wider by U times the reward range."""
    log = columns(1000)
    restrict(log, 60)
    report = evaluate(parquet_log(log), target="uniform", reward_model="tabular:10")
    assert report.unsupported == pytest.approx(0.02)
    assert [one.estimator.value for one in report.refused] == ["ips", "snips"]
    assert any("partially identified" in warning for warning in report.warnings)
    dr = next(one for one in report.estimates if one.estimator == "dr")
    assert dr.estimate.high - dr.estimate.low == pytest.approx(2 * (1.959964 * dr.estimate.stderr + 0.02), rel=1e-6)


def test_little_support_is_refused(columns: Make, parquet_log: Open) -> None:
    """Above 5 % nothing is estimated, and the share is said."""
    log = columns(1000)
    restrict(log, 300)
    with pytest.raises(CannotEstimate, match=r"could not have made 0\.1 of the target's choices, above 0\.05"):
        evaluate(parquet_log(log), target="uniform")


def test_too_few_effective_rows_are_refused_with_the_number(columns: Make, parquet_log: Open) -> None:
    """A target far from a short log: the number of effective rows is in the message."""
    with pytest.raises(CannotEstimate, match=r"120 rows are worth \d+\.\d rows of the target's own traffic, below 100"):
        evaluate(parquet_log(columns(120)), target="variant:c")


def test_only_analysis_rows_count(columns: Make, parquet_log: Open) -> None:
    """Rows that are no analysis rows are left out, whatever they hold."""
    log = columns(1000)
    every = values(parquet_log(log), "uniform")
    extra = columns(200, seed=5)
    mixed = {name: extra[name] + log[name] for name in log} | {"analysis": [False] * 200 + [True] * 1000}
    mixed["probability"][3], mixed["reward"][4] = 0.0, None
    mixed["distribution"][3] = [0.0, 0.0, 0.0]
    found = values(parquet_log(mixed), "uniform")
    assert {name: one.estimate.value for name, one in found.items()} == pytest.approx(
        {name: one.estimate.value for name, one in every.items()}
    )


def test_wrong_propensities_are_noticed(columns: Make, parquet_log: Open) -> None:
    """Propensities that are half of what they were double the mean weight, and the report says so."""
    log = columns(2000)
    del log["variants"], log["distribution"]
    log["probability"] = [one / 2 for one in log["probability"]]
    report = evaluate(parquet_log(log), target="uniform")
    assert any("the mean weight is" in warning for warning in report.warnings)


def test_rows_of_one_unit_are_clustered(columns: Make, parquet_log: Open) -> None:
    """Every row twice under its unit: the same standard error as once, where plain rows would claim 1/√2 of it."""
    log = columns(1500)
    once = values(parquet_log(log | {"unit": [f"u{i}" for i in range(1500)]}), "uniform")
    twice = {name: column * 2 for name, column in log.items()} | {"unit": [f"u{i}" for i in range(1500)] * 2}
    found = evaluate(parquet_log(twice), target="uniform")
    assert found.clustered
    for one in found.estimates:
        assert one.estimate.stderr == pytest.approx(once[one.estimator.value].estimate.stderr, rel=0.01)


def test_the_order_of_a_rows_own_variants_does_not_matter(columns: Make, parquet_log: Open) -> None:
    """Each row's distribution is read by its own variants."""
    log = columns(600)
    before = values(parquet_log(log), "uniform")
    log["variants"][300:] = [["c", "a", "b"]] * 300
    log["distribution"][300:] = [[c, a, b] for a, b, c in log["distribution"][300:]]
    after = values(parquet_log(log), "uniform")
    assert {name: one.estimate for name, one in after.items()} == {name: one.estimate for name, one in before.items()}


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("variant:z", NotFound, "no variant 'z'"),
        ("best", Invalid, "is no target"),
        ("matrix:/none.csv", NotFound, "There is no file"),
        ("policy:none", Invalid, "policy must be one of"),
    ],
)
def test_unknown_targets_are_refused(
    columns: Make, parquet_log: Open, target: str, error: type[Exception], message: str
) -> None:
    """A misspelt target is an error that says what there is."""
    with pytest.raises(error, match=message):
        evaluate(parquet_log(columns(200)), target=target)


@pytest.mark.parametrize("text", ["1,2\n3", "0.5\n0.6\n0.1\n", "0.5\n0.5\n", "a\nb\nc\n", "1.5\n-0.5\n0\n"])
def test_wrong_matrices_are_refused(columns: Make, parquet_log: Open, tmp_path: Any, text: str) -> None:
    """A matrix of the wrong shape, of words, or that does not sum to one is an error."""
    (tmp_path / "matrix.csv").write_text(text)
    with pytest.raises(Invalid):
        evaluate(parquet_log(columns(200)), target=f"matrix:{tmp_path / 'matrix.csv'}")


def test_unknown_estimators_and_models_are_refused(columns: Make, parquet_log: Open) -> None:
    """Names that nothing has are errors that list what there is."""
    log = parquet_log(columns(200))
    with pytest.raises(Invalid, match=r"no estimator magic\. There are ips, snips"):
        evaluate(log, target="uniform", estimators=["ips", "magic"])
    with pytest.raises(Invalid, match="no reward model 'forest'"):
        evaluate(log, target="uniform", reward_model="forest")


def test_evaluation_changes_nothing_and_repeats(columns: Make, parquet_log: Open) -> None:
    """Two evaluations of one log are equal to the last bit."""
    log = parquet_log(columns(1000))
    assert log.recorded is Recorded.EVERY
    assert evaluate(log, target="policy:thompson") == evaluate(log, target="policy:thompson")


def test_a_log_needs_a_kind(tmp_path: Any) -> None:
    """A path alone, an unknown kind, or a store that was not given are errors."""
    for spec in ("log.csv", "tsv:x", "csv:", "store:key"):
        with pytest.raises(Invalid):
            read_log(spec)
    with pytest.raises(NotFound):
        read_log(f"parquet:{tmp_path / 'none.parquet'}")
