"""Audience conditions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.audience import MAX_DEPTH, MAX_NODES, compile_condition
from experiments.errors import Invalid

VISITOR: dict[str, Any] = {
    "device": "mobile",
    "hour": 14,
    "score": 0.5,
    "new": True,
    "tags": ["sale", "vip"],
    "none": None,
}


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {},
        {"device": "mobile"},
        {"device": {"$eq": "mobile"}, "hour": {"$gte": 9, "$lt": 18}},
        {"hour": 14.0},
        {"device": {"$ne": "desktop"}},
        {"absent": {"$ne": "anything"}},
        {"device": {"$in": ["tablet", "mobile"]}},
        {"device": {"$nin": ["tablet"]}},
        {"tags": {"$in": ["vip"]}},
        {"new": True},
        {"absent": None},
        {"none": None},
        {"absent": {"$exists": False}},
        {"none": {"$exists": False}},
        {"hour": {"$exists": True}},
        {"hour": {"$not": {"$gt": 20}}},
        {"$not": {"device": "desktop"}},
        {"$or": [{"device": "desktop"}, {"hour": {"$lte": 14}}]},
        {"$and": [{"device": "mobile"}, {"score": {"$gt": 0}}]},
        {"device": {"$gt": "a"}},
    ],
)
def test_conditions_that_the_visitor_fulfils(condition: dict[str, Any] | None) -> None:
    """One of each operator."""
    assert compile_condition(condition)(VISITOR)


@pytest.mark.parametrize(
    "condition",
    [
        {"device": "desktop"},
        {"device": "mobile", "hour": 3},
        {"hour": "14"},
        {"hour": {"$gt": "9"}},
        {"device": {"$lt": 5}},
        {"new": 1},
        {"hour": {"$in": [True]}},
        {"new": {"$gte": 0}},
        {"tags": "sale"},
        {"tags": {"$gt": 1}},
        {"absent": {"$lt": 5}},
        {"none": {"$exists": True}},
        {"$or": [{"device": "desktop"}, {"hour": 3}]},
        {"$not": {"device": "mobile"}},
    ],
)
def test_conditions_that_the_visitor_does_not_fulfil(condition: dict[str, Any]) -> None:
    """Types that do not compare are false, not errors."""
    assert not compile_condition(condition)(VISITOR)


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ([], "audience: "),
        ({"$gt": 5}, r"audience\.\$gt"),
        ({"a": {"$like": "x"}}, r"audience\.a\.\$like"),
        ({"a": {}}, r"audience\.a"),
        ({"a": {"b": 1}}, r"audience\.a\.b"),
        ({"a": [1]}, r"audience\.a"),
        ({"a": {"$in": []}}, r"audience\.a\.\$in"),
        ({"a": {"$in": [[]]}}, r"audience\.a\.\$in\[0\]"),
        ({"a": {"$gt": None}}, r"audience\.a\.\$gt"),
        ({"a": {"$gte": True}}, r"audience\.a\.\$gte"),
        ({"a": {"$exists": 1}}, r"audience\.a\.\$exists"),
        ({"$or": {}}, r"audience\.\$or"),
        ({"$or": [{"a": 1}, 5]}, r"audience\.\$or\[1\]"),
        ({"a": {"$in": list(range(MAX_NODES + 1))}}, "nodes"),
    ],
)
def test_a_malformed_condition_is_refused_with_its_path(condition: Any, path: str) -> None:
    """At compile time, so that no visitor ever meets it."""
    with pytest.raises(Invalid, match=path):
        compile_condition(condition)


def test_a_deep_condition_is_refused() -> None:
    """Long before the stack ends."""
    condition: dict[str, Any] = {"a": 1}
    for _ in range(100_000):
        condition = {"$not": condition}
    with pytest.raises(Invalid, match=f"deeper than {MAX_DEPTH}"):
        compile_condition(condition)


scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text("ab", max_size=2)


@given(st.dictionaries(st.sampled_from("abc"), scalars | st.lists(st.text("ab", max_size=2), max_size=3)), scalars)
def test_an_operator_and_its_negation_part_the_world(context: dict[str, Any], operand: Any) -> None:
    """$eq and $ne, $in and $nin: exactly one of each holds, whatever the visitor sends."""
    for one, other, value in (("$eq", "$ne", operand), ("$in", "$nin", [operand])):
        holds = compile_condition({"a": {one: value}})(context)
        assert holds is not compile_condition({"a": {other: value}})(context)
