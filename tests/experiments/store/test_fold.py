"""The laws of folding: what the rewards of a row come to, metric by metric."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.model import Metric, MetricKind, Role
from experiments.store.fold import Claim, delays_of, fold, without_rewards

SECOND = 1_000_000
KINDS = [kind for kind in MetricKind if kind is not MetricKind.RATIO]
VALUES = st.floats(0, 100, allow_nan=False)


def metric(kind: MetricKind, **fields: Any) -> Metric:
    """A metric that is named for its kind, with a window of 60 s unless given."""
    return Metric(key=fields.pop("key", kind.value), kind=kind, **({"window_seconds": 60} | fields))


def claim(number: int, key: str, *, at: float, value: float = 1.0, late: bool = False) -> Claim:
    """A reward of the metric of that key, ``at`` seconds after the decision."""
    name = str(number)
    return Claim(id=number, decision="d", metric=key, key=name, value=value, time=int(at * SECOND), late=late)


METRICS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6, unique=True).flatmap(
    lambda kinds: st.tuples(
        *(
            st.builds(
                metric,
                st.just(kind),
                window_seconds=st.integers(1, 120),
                cap=st.none() | st.floats(1, 50),
                default=st.just(0.0) if kind is MetricKind.BOUNCE else st.sampled_from([0.0, 0.5]),
            )
            for kind in kinds
        )
    )
)
CLAIMS = st.lists(
    st.tuples(st.sampled_from([*KINDS, "gone"]), st.floats(0, 150), VALUES, st.booleans()), max_size=8
).map(lambda rows: [claim(i, k, at=at, value=value, late=late) for i, (k, at, value, late) in enumerate(rows, 1)])


def folded(metrics: Any, claims: list[Claim], **fields: Any) -> dict[str, float]:
    """The outcomes of a decision made at 0."""
    return fold(list(metrics), claims, **({"time": 0, "until": None} | fields)).outcomes


@given(metrics=METRICS, claims=CLAIMS)
def test_each_metric_is_folded_by_itself(metrics: Any, claims: list[Claim]) -> None:
    """Other metrics, and their windows, change nothing but whether a visitor bounced."""
    together = folded(metrics, claims)
    assert set(together) == {each.key for each in metrics}
    for each in metrics:
        if each.kind is not MetricKind.BOUNCE:
            assert together[each.key] == folded([each], claims)[each.key]


@given(metrics=METRICS, claims=CLAIMS, data=st.data())
def test_order_and_repetition_change_nothing(metrics: Any, claims: list[Claim], data: st.DataObject) -> None:
    """Claims are a set: in whatever order, however often each."""
    again = data.draw(st.permutations(claims + claims[:3]))
    assert fold(metrics, again, time=0, until=None) == fold(metrics, claims, time=0, until=None)


@given(metrics=METRICS, claims=CLAIMS, until=st.none() | st.integers(1, 130))
def test_only_what_came_in_its_window_counts(metrics: Any, claims: list[Claim], until: int | None) -> None:
    """What came at the end of its metric's window or later is late, and the outcome as if it had not come."""
    end = None if until is None else until * SECOND
    result = fold(metrics, claims, time=0, until=end)
    windows = {each.key: min(each.window, end or each.window) for each in metrics}
    known = [each for each in claims if each.metric in windows]
    assert result.counted == {c.id for c in known if c.time < windows[c.metric] and not c.late}
    assert result.counted | result.late == {c.id for c in known}
    plain = [each for each in metrics if each.kind is not MetricKind.BOUNCE]
    without = fold(plain, [c for c in claims if c.id in result.counted], time=0, until=end).outcomes
    assert without == {each.key: result.outcomes[each.key] for each in plain}


@given(metrics=METRICS, claims=CLAIMS, cost=st.floats(0, 10))
def test_outcomes_keep_their_bounds(metrics: Any, claims: list[Claim], cost: float) -> None:
    """An outcome lies between the bounds of its metric, and is what no reward gives where none came."""
    outcomes = folded(metrics, [c for c in claims if c.value <= 1 or c.metric != "conversion"], cost=cost)
    for each in metrics:
        low, high = each.bounds
        assert low <= outcomes[each.key] <= high
        assert folded([each], [], cost=cost)[each.key] == without_rewards(each, cost=cost)


@given(claims=CLAIMS, metrics=METRICS)
def test_delays_are_the_objectives(claims: list[Claim], metrics: Any) -> None:
    """Shares of one metric's outcome add up to at most one, and other metrics' rewards are not in them."""
    for each in metrics:
        shares = delays_of(each, claims, time=0, until=None)
        own = [c for c in claims if c.metric == each.key]
        assert shares == delays_of(each, own, time=0, until=None)
        assert sum(share for _, share in shares) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("kind", "fields", "claims", "outcome"),
    [
        ("bounce", {}, [], 1.0),
        ("bounce", {}, [("bounce", 5, 1)], 0.0),
        ("bounce", {}, [("sale", 5, 0)], 0.0),
        ("bounce", {}, [("sale", 59.999999, 1)], 0.0),
        ("bounce", {}, [("sale", 60, 1)], 1.0),
        ("bounce", {}, [("gone", 5, 1)], 1.0),
        ("duration", {}, [], 0.0),
        ("duration", {"default": 2}, [("duration", 5, 1)], 1.0),
        ("duration", {}, [("duration", 5, 10), ("duration", 6, 30), ("duration", 7, 20)], 30.0),
        ("duration", {"cap": 25}, [("duration", 5, 10), ("duration", 6, 30)], 25.0),
        ("cost", {}, [], 0.25),
        ("cost", {"default": 1}, [], 1.25),
        ("cost", {}, [("cost", 5, 0.5), ("cost", 6, 2)], 2.75),
        ("cost", {"cap": 2}, [("cost", 5, 3)], 2.25),
        ("cost", {"min": -5}, [("cost", 5, -1)], -0.75),
    ],
)
def test_new_kinds(kind: str, fields: dict[str, Any], claims: list[Any], outcome: float) -> None:
    """A bounce is ended by anything, a duration is the largest value, a cost begins with the variant's own."""
    sale = Metric(key="sale", window_seconds=1)
    made = [claim(i, key, at=at, value=value) for i, (key, at, value) in enumerate(claims, 1)]
    assert folded([sale, metric(MetricKind(kind), **fields)], made, cost=0.25)[kind] == outcome


def test_a_ratio_has_no_outcome() -> None:
    """It is made of two metrics' sums, not row by row."""
    ratio = Metric(key="r", kind=MetricKind.RATIO, role=Role.SECONDARY, numerator="sale", denominator="cost")
    assert folded([Metric(key="sale"), ratio], [claim(1, "r", at=1)]) == {"sale": 0.0}
