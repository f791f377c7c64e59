"""Every value has a home, whatever it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.features import LIMIT, Attribute, AttributeType, Schema
from bandit.validation import InvalidInput

SCHEMA = Schema(
    [
        Attribute("device", AttributeType.CATEGORY, values=("mobile", "desktop")),
        Attribute("age", AttributeType.NUMBER, center=40.0, scale=10.0),
        Attribute("returning", AttributeType.BOOLEAN),
        Attribute("hour", AttributeType.CYCLIC, period=24.0),
        Attribute("tags", AttributeType.TAGS, values=("sale", "new")),
    ]
)


def columns(context: dict[str, object]) -> dict[str, float]:
    """The columns that are not zero, by name."""
    row = SCHEMA.encode_one(context)
    return {name: value for name, value in zip(SCHEMA.names, row.round(12).tolist(), strict=True) if value}


UNKNOWN = {f"{name}=unknown": 1.0 for name in ("device", "age", "returning", "hour", "tags")}


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"device": "mobile"}, {"device=mobile": 1.0}),
        ({"device": "fridge"}, {"device=other": 1.0}),
        ({"age": 55}, {"age": 1.5}),
        ({"age": 1e300}, {"age": LIMIT}),
        ({"returning": True}, {"returning": 1.0}),
        ({"returning": False}, {}),
        ({"hour": 6}, {"hour:sin": 1.0}),
        ({"hour": 24 * 5 + 12}, {"hour:cos": -1.0}),
        ({"tags": ["sale", "x", "y"]}, {"tags=sale": 1.0, "tags=other": 1.0}),
        ({"tags": []}, {}),
    ],
)
def test_values_have_homes(context, expected):
    """Known values have their column, others share one, missing ones are unknown."""
    (name,) = context
    missing = {key: value for key, value in UNKNOWN.items() if not key.startswith(name)}
    assert columns(context) == expected | missing
    assert SCHEMA.unknown(context) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", 3),
        ("device", True),
        ("age", "55"),
        ("age", True),
        ("age", float("nan")),
        ("age", 10**400),
        ("returning", 1),
        ("hour", "noon"),
        ("hour", float("inf")),
        ("tags", "sale"),
        ("tags", ["sale", 3]),
    ],
)
def test_wrong_types_are_unknown(name, value):
    """A wrong type is unknown to the policy and counted, never an error."""
    assert columns({name: value}) == UNKNOWN
    assert SCHEMA.unknown({name: value}) == [name]


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(st.sampled_from(["device", "age", "returning", "hour", "tags", "else"]), ANYTHING)))
def test_any_context_is_encoded(contexts):
    """Whatever comes, the row is finite, and many are encoded as one by one."""
    rows = SCHEMA.encode(contexts)
    assert rows.shape == (len(contexts), SCHEMA.width)
    assert np.isfinite(rows).all()
    for row, context in zip(rows, contexts, strict=True):
        np.testing.assert_array_equal(row, SCHEMA.encode_one(context))


@pytest.mark.parametrize(("center", "scale"), [(0.0, 1.0), (1e16, 1e-6), (-3.0, 1e-300), (1e300, 1e300), (5.0, 1e303)])
@settings(max_examples=50, deadline=None, derandomize=True)
@given(value=st.floats() | st.integers() | st.sampled_from([2**53, 2**53 + 1, 1e6, -1e6, 5e5, 1e16, 1e308]))
def test_numbers_are_scaled_and_cut(center, scale, value):
    """Whatever center and scale are, every number is (value - center) / scale, cut, or unknown."""
    schema = Schema([Attribute("x", AttributeType.NUMBER, center=center, scale=scale)])
    known = abs(value) <= 2**53 if isinstance(value, int) else np.isfinite(value)
    expected = [min(LIMIT, max(-LIMIT, (value - center) / scale)), 0.0] if known else [0.0, 1.0]
    np.testing.assert_array_equal(schema.encode_one({"x": value}), expected)


def test_plain_vectors_have_a_schema():
    """One column a number, and none for what is missing."""
    schema = Schema.numeric(3)
    assert (schema.width, schema.names) == (3, ("x0", "x1", "x2"))
    np.testing.assert_array_equal(schema.encode_one({"x0": 1.5, "x2": -2}), [1.5, 0.0, -2.0])


def test_json_round_trip():
    """What is written as JSON is read back equal."""
    assert Schema.from_json(json.loads(json.dumps(SCHEMA.to_json()))) == SCHEMA


def test_json_of_the_first_version_is_read():
    """What a policy wrote when a schema was a plain list of attributes is read like any other."""
    plain = json.loads(json.dumps(SCHEMA.to_json()["attributes"]))
    assert Schema.from_json(plain) == SCHEMA


def test_interactions_are_products_of_columns():
    """A pair adds the products of its columns, 0 where a value is missing; products are cut like numbers."""
    schema = Schema(SCHEMA.attributes, interactions=[("device", "age"), ("age", "age")])
    assert schema.names[len(SCHEMA.names) :] == (
        "device=mobile*age",
        "device=desktop*age",
        "device=other*age",
        "age*age",
    )
    assert schema.width == SCHEMA.width + 4
    row = schema.encode_one({"device": "desktop", "age": 60})
    np.testing.assert_array_equal(row[SCHEMA.width :], [0.0, 2.0, 0.0, 4.0])
    np.testing.assert_array_equal(schema.encode_one({"device": "desktop"})[SCHEMA.width :], np.zeros(4))
    assert schema.encode_one({"age": -1e15})[-1] == LIMIT


def test_arms_have_attributes_of_their_own():
    """Arm attributes make a matrix of their own, and leave the context's vector as it is."""
    colour = Attribute("colour", AttributeType.CATEGORY, values=("red",), always_known=True)
    price = Attribute("price", AttributeType.NUMBER, scale=10.0)
    schema = Schema(SCHEMA.attributes, interactions=[("device", "hour")], arms=[colour, price])
    assert (schema.width - SCHEMA.width, schema.arm_width) == (6, 4)
    expected = [[1.0, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 1.0]]
    np.testing.assert_array_equal(schema.encode_arms([{"colour": "red", "price": 5}, {"colour": "mauve"}]), expected)
    assert SCHEMA.encode_arms([{}, {}]).shape == (2, 0)
    read = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    assert read == schema != SCHEMA
    assert hash(read) == hash(schema)


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ([("device", "colour")], "found 'colour'"),
        ([("device", "device")], "a number with itself"),
        ([("device", "age"), ("age", "device")], "distinct pairs"),
    ],
)
def test_impossible_interactions_are_refused(interactions, message):
    """A pair names two declared attributes, once."""
    with pytest.raises(InvalidInput, match=message):
        Schema(SCHEMA.attributes, interactions=interactions)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (Attribute("hour", AttributeType.CYCLIC), "period must be positive"),
        (Attribute("age", AttributeType.NUMBER, scale=0.0), "scale must be positive"),
        (Attribute("device", AttributeType.CATEGORY, values=("a", "a")), "distinct"),
        (Attribute("device", AttributeType.CATEGORY, values=("other",)), "'other'"),
    ],
)
def test_impossible_attributes_are_refused(attribute, message):
    """The message names the attribute and what was found."""
    with pytest.raises(InvalidInput, match=message):
        Schema([attribute])
    with pytest.raises(InvalidInput, match="distinct"):
        Schema([Attribute("x", AttributeType.BOOLEAN)] * 2)
    with pytest.raises(InvalidInput, match="a list of attributes"):
        Schema.from_json([{"name": "x"}])
