from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.model import Experiment
from experiments.report import ExperimentReport, Finding, Level
from experiments.report.build import report_of
from experiments.report.facts import Facts
from experiments.report.split import Split, split_of
from experiments.report.traffic import MINUTE, shares_by, step_over
from experiments.statistics.moments import Missing, Moments
from experiments.store import Health, TrafficBucket
from experiments.store.decisions import bucket_width
from tests.experiments.report.made import NOW, Sums, binary, buckets_of, experiment_of, facts_of, version_of

BETTER = {"a": binary(10_000, 1_000), "b": binary(10_000, 1_200)}
EVEN = {"a": binary(1_000, 100), "b": binary(1_000, 104)}


def test_json_has_the_agreed_fields() -> None:
    """``report.json`` holds every agreed field, and nothing that JSON cannot."""
    body = json.loads(json.dumps(report_of(facts_of(BETTER)).to_json(), allow_nan=False))
    agreed = {"experiment", "version", "phase", "state", "as_of", "rows", "advice", "variants", "checks", "metrics"}
    per_variant = {"key", "name", "visitors", "conversions", "rate", "low", "high", "interval", "share"}
    assert agreed | {"imported", "simulated", "traffic", "policy", "exploration", "health"} <= body.keys()
    assert per_variant | {"belief_best", "expected_loss"} <= body["variants"][0].keys()
    assert body["as_of"] == "2026-01-01T00:00:00.000000Z"
    assert body["variants"][1] | {"visitors": 10_000, "conversions": 1_200, "rate": 0.12} == body["variants"][1]
    assert body["traffic"]["shares"] == {"a": [0.5], "b": [0.5]}


def test_intervals_of_a_fixed_split_are_always_valid() -> None:
    """A variant's limits are wider than those of a single look, hold its rate and stay within [0, 1]."""
    for variant in report_of(facts_of(BETTER)).variants:
        assert variant.low is not None
        assert variant.high is not None
        assert variant.rate is not None
        assert 0 <= variant.low < variant.rate < variant.high <= 1
        single_look = 2 * 1.96 * math.sqrt(variant.rate * (1 - variant.rate) / variant.visitors)
        assert 1.5 < (variant.high - variant.low) / single_look < 2
        assert variant.interval == "always valid, 95%"


def test_a_proof_comes_from_the_contrast_with_the_control() -> None:
    """'Proved better' is said exactly when the contrast's lower limit is above zero, and names its lift."""
    report = report_of(facts_of(BETTER))
    contrast = report.variants[1].contrast
    assert contrast is not None
    assert contrast.low > 0
    assert contrast.p_value < contrast.alpha
    assert (report.advice.finding, report.advice.variant) == (Finding.PROVED_BETTER, "b")
    assert report.advice.text.startswith("'New page' is proved better than the control 'Today's page', by +")
    assert report_of(facts_of(EVEN)).advice.text == "Keep running: no variant is proved better than the control yet."


def test_the_mirror_image_is_proved_worse() -> None:
    """With the sums exchanged, the same variant is proved worse."""
    mirrored = report_of(facts_of({"a": BETTER["b"], "b": BETTER["a"]}))
    assert mirrored.advice.finding is Finding.PROVED_WORSE


@pytest.mark.parametrize("policy", ["thompson", "linear_thompson", "vw_squarecb"])
def test_a_bandit_shows_no_interval_and_proves_nothing(policy: str) -> None:
    """Where a bandit moved the traffic there is no interval, no contrast and no proof."""
    experiment = experiment_of(
        policy={"name": policy}, context=[{"name": "device", "type": "category", "values": ["m"]}]
    )
    report = report_of(facts_of(BETTER, experiment=experiment))
    for variant in report.variants:
        assert (variant.low, variant.high, variant.contrast) == (None, None, None)
        assert variant.interval == "not shown: traffic was moved by a bandit"
    assert "proved better" not in report.advice.text


def test_a_bandits_belief_is_called_a_belief() -> None:
    """Thompson sampling's chance to be best is shown with the words that it is no proof."""
    report = report_of(facts_of(BETTER, experiment=experiment_of(policy={"name": "thompson"})))
    assert report.advice.finding is Finding.BELIEF_ONLY
    assert "a belief and not a proof" in report.advice.text
    assert report.variants[1].belief_best == pytest.approx(1.0, abs=1e-4)


def test_a_policy_that_chooses_by_context_has_no_best_variant() -> None:
    """Where each visitor may have another best variant, no chance to be best is shown, and the report says why."""
    context = [{"name": "device", "type": "category", "values": ["mobile"]}]
    report = report_of(facts_of(EVEN, experiment=experiment_of(policy={"name": "linear_thompson"}, context=context)))
    assert [variant.belief_best for variant in report.variants] == [None, None]
    assert report.belief.startswith("not shown: the policy chooses by the visitor's context")


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (experiment_of(policy={"name": "thompson"}), "traffic was moved by a bandit"),
        (experiment_of(variants=[{"key": "a"}, {"key": "b", "weight": 3}]), "the split was changed while it ran"),
        (experiment_of(variants=[{"key": "a"}, {"key": "b"}, {"key": "c"}]), "the split was changed while it ran"),
    ],
)
def test_two_weight_vectors_have_no_interval(second: Experiment, reason: str) -> None:
    """Rows drawn by more than one weight vector are not pooled into an interval."""
    versions = [version_of(experiment_of()), version_of(second, phase=2)]
    assert split_of(versions, {1, 2}, []) == Missing(reason)
    assert split_of(versions, {1}, []) == Split({"a": 0.5, "b": 0.5})


def test_logged_probabilities_must_be_the_weights() -> None:
    """Where a site allowed some visitors fewer variants, the log shows it and no interval is given."""
    narrowed = buckets_of({"a": 0.6, "b": 0.4}, 1_000)
    found = split_of([version_of(experiment_of())], {1}, narrowed)
    assert isinstance(found, Missing)
    assert "other probabilities" in found.reason


@pytest.mark.parametrize(
    ("sums", "reason"),
    [
        ({}, "not shown: needs 100 rows, there are 0"),
        ({"a": binary(1, 1), "b": binary(1, 0)}, "not shown: needs 100 rows, there are 1"),
        ({"a": binary(400, 0), "b": binary(400, 0)}, "not shown: needs 10 conversions, there are 0"),
        ({"a": binary(400, 400), "b": binary(400, 400)}, "not shown: needs 10 rows without a conversion, there are 0"),
    ],
)
def test_missing_data_is_a_sentence(sums: Sums, reason: str) -> None:
    """Nothing, one row, no conversions and equal values say what is missing."""
    report = report_of(facts_of(sums))
    assert report.variants[0].interval == reason
    json.dumps(report.to_json(), allow_nan=False)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1)), min_size=2, max_size=2), st.booleans())
def test_no_sums_give_nan(pairs: list[tuple[int, float]], bandit: bool) -> None:
    """Whatever the sums, the report is JSON without NaN or infinity."""
    sums = {key: binary(rows, int(rows * share)) for key, (rows, share) in zip("ab", pairs, strict=True)}
    experiment = experiment_of(policy={"name": "thompson" if bandit else "fixed"})
    json.dumps(report_of(facts_of(sums, experiment=experiment)).to_json(), allow_nan=False)


def test_numeric_objectives_use_the_sample_variance() -> None:
    """Revenue has an interval from its sum of squares, which may exceed one."""
    experiment = experiment_of(metrics=[{"key": "revenue", "kind": "revenue"}])
    sums = {"a": Moments(5_000, 26_250.0, 165_000.0, 5_000), "b": Moments(5_200, 27_976.0, 181_500.0, 5_200)}
    report = report_of(facts_of(sums, experiment=experiment))
    contrast = report.variants[1].contrast
    assert contrast is not None
    assert contrast.difference == pytest.approx(0.13)
    assert report.variants[0].low is not None
    assert report.variants[0].low > 5


def checks_of(report: ExperimentReport) -> dict[str, Level]:
    """The level of each check by name."""
    return {check.name: check.level for check in report.checks}


@pytest.mark.parametrize(
    ("facts", "name", "level"),
    [
        (lambda: facts_of({}), "data", Level.INFO),
        (lambda: facts_of(EVEN), "split", Level.OK),
        (lambda: facts_of({"a": binary(10_400, 900), "b": binary(9_600, 900)}), "split", Level.ALARM),
        (lambda: facts_of(EVEN, health=Health(decisions=9, quarantined=2)), "quarantine", Level.WARNING),
        (lambda: facts_of(EVEN, health=Health(decisions=9, rewards=9, unmatched=1)), "rewards", Level.WARNING),
        (lambda: facts_of(EVEN, health=Health(decisions=9, rewards=900, late=10)), "rewards", Level.OK),
        (
            lambda: facts_of(
                EVEN,
                experiment=experiment_of(
                    policy={"name": "thompson"}, metrics=[{"key": "sale", "window_seconds": 7200}]
                ),
            ),
            "window",
            Level.INFO,
        ),
        (
            lambda: facts_of(
                EVEN,
                experiment=experiment_of(
                    policy={"name": "vw_epsilon"}, metrics=[{"key": "sale", "window_seconds": 7200}]
                ),
            ),
            "window",
            Level.WARNING,
        ),
        (
            lambda: facts_of(EVEN, experiment=experiment_of(policy={"name": "thompson"}, exploration=0.05)),
            "exploration",
            Level.WARNING,
        ),
    ],
)
def test_checks(facts: Callable[[], Facts], name: str, level: Level) -> None:
    """Each check finds what it is there for."""
    assert checks_of(report_of(facts()))[name] is level


def test_a_wrong_split_forbids_reading_the_results() -> None:
    """An alarm is the advice, whatever the contrasts say."""
    report = report_of(facts_of({"a": binary(10_400, 900), "b": binary(9_600, 1_400)}))
    assert report.advice.finding is Finding.DATA_WRONG


def test_simulated_and_imported_are_flags_of_the_report() -> None:
    """A page can label what is not a real visitor."""
    experiment = replace(experiment_of(tags=["simulated"]), imported=True)
    body = report_of(facts_of(EVEN, experiment=experiment)).to_json()
    assert (body["simulated"], body["imported"]) == (True, True)


@given(st.integers(1, 60 * 24 * 40), st.integers(1, 50))
def test_coarse_traffic_keeps_every_decision(minutes: int, decisions: int) -> None:
    """However long an experiment ran, its series is short, loses no decision, and its shares add up to one."""
    step = max(minutes // 500, 1)
    buckets = [TrafficBucket(NOW + m * MINUTE, "ab"[m % 2], decisions, 0.0) for m in range(0, minutes, step)]
    traffic = shares_by(step_over(minutes * MINUTE), buckets, ["a", "b"])
    assert len(traffic.times) <= 61
    assert sum(traffic.decisions) == decisions * len(buckets)
    assert all(math.isclose(sum(shares), 1) for shares in zip(*traffic.shares, strict=True))


@given(st.integers(0, 400 * 24 * 3_600))
def test_every_step_holds_whole_buckets(seconds: int) -> None:
    """Whatever the age, the store's buckets are no longer than the chart's step, and never lie across two of them."""
    span = seconds * 1_000_000
    assert {step_over(span) % bucket_width(age) for age in range(0, span + 1, span // 50 + 1)} <= {0}


def test_no_traffic_is_an_empty_series() -> None:
    """An experiment without decisions has no points."""
    assert shares_by(MINUTE, [], ["a"]).times == ()


def test_the_present_share_is_the_logged_probability() -> None:
    """Where traffic goes now comes from the last probabilities, not from how its few draws fell."""
    latest = [TrafficBucket(NOW + MINUTE, "a", 0, 0.2), TrafficBucket(NOW + MINUTE, "b", 1, 0.8)]
    buckets = [*buckets_of({"a": 0.5, "b": 0.5}, 1_000), *latest]
    report = report_of(facts_of(EVEN, buckets=buckets, latest=latest))
    assert [variant.share_now for variant in report.variants] == [0.2, 0.8]
    assert report.variants[0].share == pytest.approx(500 / 1_001)
