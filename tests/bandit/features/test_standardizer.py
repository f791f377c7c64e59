"""Centers and scales are learned as sums, and do not move once something was learned on top of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.features import Attribute, AttributeType, Schema, Standardizer
from bandit.types import Arms
from bandit.validation import InvalidInput

PRICE = Attribute("price", AttributeType.NUMBER, center=100.0, scale=10.0, standardize=True)
AGE = Attribute("age", AttributeType.NUMBER, standardize=True, always_known=True)
SCHEMA = Schema(
    [PRICE, Attribute("device", AttributeType.CATEGORY, values=("mobile",)), AGE], interactions=[("price", "age")]
)
CONTEXTS = [{"price": 80 + 5.0 * i, "age": i} for i in range(9)] + [{"price": "high"}, {"age": None}]


def learned(*parts, schema=SCHEMA):
    """The frozen schema of the sums of some parts."""
    total = Standardizer(schema)
    for part in parts:
        one = Standardizer(schema)
        one.add(part)
        total.merge(one)
    return total.freeze()


def test_columns_have_mean_zero_and_variance_one():
    """The numbers that were known are standardized; what was not known counts for nothing."""
    schema = learned(CONTEXTS)
    assert SCHEMA.waiting == (PRICE, AGE)
    assert schema.waiting == ()
    rows = schema.encode(CONTEXTS[:9])[:, [0, -2]]
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(rows.std(axis=0), 1.0, atol=1e-12)
    assert schema.standards["price"] == pytest.approx((100.0, 5.0 * np.sqrt(60 / 9)))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e9, 1e9) | st.none() | st.booleans(), max_size=30), st.integers(0, 30))
def test_sums_of_parts_are_the_sums_of_the_whole(values, cut):
    """Merging is adding: the same centers and scales to 1e-9."""
    found = [{"price": value, "age": 1} for value in values]
    whole, parts = learned(found), learned(found[:cut], found[cut:])
    np.testing.assert_allclose(parts.standards["price"], whole.standards["price"], rtol=1e-9, atol=1e-9)
    assert parts.standards["age"] == (0.0, 1.0), "always the same: as declared"
    assert np.isfinite(parts.encode(found)).all()


@pytest.mark.parametrize("value", [None, 3.0, 1e300, -1e300, 2.0**53])
def test_numbers_without_spread_stay_as_declared(value):
    """One value, or none, says nothing of a scale."""
    assert learned([{"price": value}] * 5).standards["price"] == (100.0, 10.0)


def test_what_was_learned_is_kept_and_told_apart():
    """A frozen schema goes through JSON, differs from the declared one, and knows it."""
    schema = learned(CONTEXTS)
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert schema != SCHEMA
    assert schema.declared() == SCHEMA
    policy = policies.create("linucb", arms=Arms(("a", "b")), schema=schema)
    assert policies.from_bytes(policy.to_bytes()).schema == schema


def test_only_declared_numbers_are_standardized():
    """Whatever else asks for it is refused by name."""
    with pytest.raises(InvalidInput, match="attribute x: only a number can be standardized"):
        Schema([Attribute("x", AttributeType.BOOLEAN, standardize=True)])
    with pytest.raises(InvalidInput, match="attribute age: an arm's number is not standardized"):
        Schema(arms=[AGE])
    with pytest.raises(InvalidInput, match="standards must be of numbers to standardize"):
        Schema([Attribute("x", AttributeType.NUMBER)], standards={"x": (0.0, 1.0)})
    with pytest.raises(InvalidInput, match="cannot be added"):
        Standardizer(SCHEMA).merge(Standardizer(Schema([PRICE])))
