from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.planning.plan import Method, Plan, plan, whole_days
from experiments.statistics.planning.question import Question


def test_a_plan_agrees_with_the_tables() -> None:
    """.1 against .11 at 80%: 7.849·(.09 + .0979)/.0001 a variant; watched, 1.64 times that; both in whole weeks."""
    found = plan(0.1, 0.1, daily=2_000, method=Method.SEQUENTIAL)
    each = math.ceil(7.848879734 * (0.09 + 0.0979) / 0.0001)
    assert found.fixed.per_variant == (each, each)
    assert found.fixed.days == 21
    assert found.sequential.rows is not None
    assert found.fixed.rows is not None
    assert found.sequential.rows / found.fixed.rows == pytest.approx(1.64, abs=0.01)
    assert found.sequential.days == 28
    assert found.way is found.sequential
    assert found.planned_rows == found.fixed.rows
    assert found.sequential.stops_after is not None
    assert found.sequential.stops_after / found.fixed.rows == pytest.approx(0.98, abs=0.02)


cases = st.fixed_dictionaries(
    {
        "baseline": st.floats(0.01, 0.5),
        "sd": st.none() | st.floats(0.1, 3),
        "variants": st.integers(2, 5),
        "power": st.floats(0.5, 0.95),
        "rho": st.floats(-0.8, 0.8),
    }
)


@settings(max_examples=6)
@given(cases, st.floats(0.02, 0.9))
def test_rows_power_and_smallest_lift_agree(case: dict[str, Any], lift: float) -> None:
    """What is worked out from the one gives the other back, read once and watched."""
    rows = plan(lift=lift, **case).fixed.rows
    assert plan(lift=lift, rows=rows, **case).fixed.power == pytest.approx(case["power"], abs=0.02)
    small = plan(rows=rows, **case)
    assert small.fixed.lift == pytest.approx(lift, rel=0.03)
    assert plan(lift=small.sequential.lift, rows=rows, **case).sequential.power == pytest.approx(
        case["power"], abs=1e-3
    )
    assert small.sequential.lift > small.fixed.lift


def test_a_bandit_is_simulated() -> None:
    """It needs more rows than a split that is watched, loses less, and with rows given says how often it is proved."""
    found = plan(0.1, 0.5, variants=3, daily=500, method=Method.BANDIT, exploration=0.3)
    assert found.bandit is not None
    assert found.bandit.rows is not None
    assert found.sequential.rows is not None
    assert found.bandit.rows > found.sequential.rows
    assert found.bandit.days == whole_days(found.bandit.rows, 500)
    assert found.bandit.regret is not None
    assert 0 < found.bandit.regret < 1
    assert (found.exploration, found.drop) == (0.3, False)
    again = plan(0.1, 0.5, rows=found.bandit.rows, variants=3, method=Method.BANDIT, exploration=0.3)
    assert again.bandit is not None
    assert again.bandit.power == pytest.approx(0.8, abs=0.1)
    assert plan(0.1, 0.9, method=Method.BANDIT).drop is True


def test_a_bandit_that_proves_nothing_has_no_rows() -> None:
    """With so few rows as given, the share of proofs is 0 and half of them never come."""
    found = plan(0.1, 0.1, rows=2_000, method=Method.BANDIT, exploration=0.2)
    assert found.bandit is not None
    assert (found.bandit.power, found.bandit.stops_after) == (0.0, None)


def test_weeks_are_whole() -> None:
    """A week at least, and each one begun is finished."""
    assert [whole_days(rows, 100) for rows in (1, 700, 701, 1_400)] == [7, 7, 14, 14]


@pytest.mark.parametrize("method", [Method.FIXED, Method.SEQUENTIAL])
def test_a_plan_is_json(method: Method) -> None:
    """Every number in it is one that JSON knows; those of the way asked for stand on top."""
    found = plan(0.2, 0.1, weights=[2, 1, 1], method=method)
    body = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert body["rows"] == body[method]["rows"]
    assert body["method"] == method
    assert (body["variants"], body["weights"]) == (3, [2, 1, 1])


def test_a_plan_for_one_metric_in_its_own_unit() -> None:
    """Means: the classic (z + z)²·2·sd²/δ² each; a covariate of correlation .5 saves a quarter."""
    found = plan(20, 0.05, sd=60)
    assert found.fixed.per_variant == (math.ceil(7.848879734 * 2 * 3600),) * 2
    saved = plan(20, 0.05, sd=60, rho=0.5)
    assert saved.fixed.rows == pytest.approx(0.75 * (found.fixed.rows or 0), rel=1e-4)


def test_losses_are_planned_like_gains() -> None:
    """A guardrail may be planned for a loss of a tenth."""
    assert plan(20, -0.05, sd=60).fixed.rows == plan(20, 0.05, sd=60).fixed.rows
    assert plan(0.1, -0.1).fixed.lift == -0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": 0.1}, "lift or rows"),
        ({"baseline": 0.1, "lift": 0}, "other than 0"),
        ({"baseline": 0.1, "lift": 20}, "at most 9"),
        ({"baseline": 0.1, "lift": -1}, "above -1"),
        ({"baseline": 0.1, "lift": math.nan}, "lift"),
        ({"baseline": 0, "lift": 0.1}, "baseline"),
        ({"baseline": 1.5, "lift": 0.1}, "baseline"),
        ({"baseline": math.nan, "lift": 0.1}, "baseline"),
        ({"baseline": -3, "lift": 0.1, "sd": 1}, "baseline"),
        ({"baseline": 1, "lift": 0.1, "sd": 0}, "sd"),
        ({"baseline": 0.1, "lift": 0.1, "variants": 1}, "variants"),
        ({"baseline": 0.1, "lift": 0.1, "weights": [1]}, "at least 2 variants"),
        ({"baseline": 0.1, "lift": 0.1, "weights": [1, -1]}, "weights"),
        ({"baseline": 0.1, "lift": 0.1, "power": 1}, "power"),
        ({"baseline": 0.1, "lift": 0.1, "alpha": 0}, "alpha"),
        ({"baseline": 0.1, "lift": 0.1, "rho": 1}, "rho"),
        ({"baseline": 0.1, "lift": 0.1, "daily": 0}, "daily"),
        ({"baseline": 0.1, "lift": 1e-9}, "plan for a larger one"),
        ({"baseline": 0.1, "rows": 1}, "rows"),
        ({"baseline": 0.9, "rows": 10}, "no lift"),
        ({"baseline": 0.1, "rows": 1000, "method": Method.BANDIT}, "a bandit's plan needs a lift"),
        ({"baseline": 0.1, "lift": -0.1, "method": Method.BANDIT}, "a bandit's plan needs a lift"),
        ({"baseline": 0.1, "lift": 0.1, "method": Method.BANDIT, "exploration": 0}, "exploration"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: dict[str, Any], message: str) -> None:
    """In one sentence with what was found."""
    with pytest.raises(InvalidInput, match=message) as refused:
        plan(**arguments)
    assert "\n" not in str(refused.value)


def test_a_plan_is_frozen() -> None:
    """It is a value that page and JSON share."""
    found = plan(0.1, 0.1)
    assert isinstance(found, Plan)
    assert found == plan(0.1, 0.1)
    assert found.question == Question(0.1)
    with pytest.raises(AttributeError):
        found.daily = 3  # type: ignore[misc]
