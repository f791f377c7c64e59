"""Laws of every schema: whatever comes is encoded to finite numbers, alone and among others with the same bits."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.features import Attribute, AttributeType, Schema

NAMES = ("a", "b", "c", "d")
WORDS = ("mobile", "desktop", "ünï", "")
SCALES = (1.0, 1e-6, 1e-300, 1e300)


@st.composite
def attributes(draw, name):
    """Any attribute of that name."""
    kind = draw(st.sampled_from(AttributeType))
    number = kind is AttributeType.NUMBER
    return Attribute(
        name,
        kind,
        values=WORDS[: draw(st.integers(0, 3))] if kind in (AttributeType.CATEGORY, AttributeType.TAGS) else (),
        period=draw(st.sampled_from([24.0, 1e-300, 1e300])) if kind is AttributeType.CYCLIC else None,
        center=draw(st.sampled_from([0.0, -3.0, 1e16, 1e300])) if number else 0.0,
        scale=draw(st.sampled_from(SCALES)) if number else 1.0,
        always_known=draw(st.booleans()),
        columns=draw(st.sampled_from([None, 1, 3])) if kind is AttributeType.TEXT else None,
    )


@st.composite
def schemas(draw, names=NAMES):
    """Any schema over some of the names, the pairs among them included."""
    declared = [draw(attributes(name)) for name in names[: draw(st.integers(0, len(names)))]]
    found = [attribute.name for attribute in declared]
    pairs = [(a, b) for i, a in enumerate(found) for b in found[i + 1 :]]
    pairs += [(a.name, a.name) for a in declared if a.type is AttributeType.NUMBER]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2)) if pairs else []
    return Schema(declared, interactions=chosen)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
EDGES = st.sampled_from([2**53, -(2**53), 2**53 + 1, 10**400, 1e308, -0.0, 5e5, np.float64(2.5), np.int64(3), np.True_])
JSON = st.recursive(
    SCALARS | EDGES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
PLAIN = {  # whole columns of one type, which take the short ways
    "number": st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9),
    "word": st.sampled_from(WORDS) | st.none(),
    "flag": st.booleans() | st.none(),
}


@st.composite
def contexts(draw, names=NAMES):
    """Contexts of anything, or of columns that are of one type but for a few values."""
    columns = {name: draw(st.sampled_from([JSON, *PLAIN.values()])) for name in names}
    return draw(st.lists(st.fixed_dictionaries({}, optional={**columns, "else": JSON}), max_size=8))


def bits(rows):
    """The bits of floats, which tell -0.0 from 0.0."""
    return np.ascontiguousarray(rows).view(np.int64)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(schemas(), contexts())
def test_any_context_is_encoded(schema, found):
    """Rows are finite, and many together have the bits that each has alone; nothing that came in is changed."""
    before = repr(found)
    rows = schema.encode(found)
    assert rows.shape == (len(found), schema.width)
    assert len(schema.names) == schema.width
    assert np.isfinite(rows).all()
    alone = np.array([schema.encode_one(context) for context in found]).reshape(rows.shape)
    np.testing.assert_array_equal(bits(rows), bits(alone))
    assert [schema.unknown(context) for context in found] == [schema.unknown(dict(context)) for context in found]
    assert repr(found) == before


@settings(max_examples=100, deadline=None, derandomize=True)
@given(schemas(), contexts())
def test_schemas_survive_json(schema, found):
    """A schema that went through JSON is equal, has the same columns, and encodes the same bits."""
    read = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    assert (read, read.names, hash(read)) == (schema, schema.names, hash(schema))
    np.testing.assert_array_equal(bits(read.encode(found)), bits(schema.encode(found)))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(schemas(), contexts())
def test_interactions_are_products(schema, found):
    """Behind the columns come their products, cut; the columns themselves are those without interactions."""
    plain = Schema(schema.attributes).encode(found)
    rows = schema.encode(found)
    np.testing.assert_array_equal(bits(rows[:, : plain.shape[1]]), bits(plain))
    for place, name in enumerate(schema.names[plain.shape[1] :], start=plain.shape[1]):
        left, _, right = name.partition("*")
        product = plain[:, schema.names.index(left)] * plain[:, schema.names.index(right)]
        np.testing.assert_array_equal(rows[:, place], np.clip(product, -1e6, 1e6))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(attributes("colour"), min_size=1, max_size=1), contexts(("colour",)))
def test_arms_are_encoded_like_contexts(declared, found):
    """Arm attributes are encoded by the same rules, into a matrix of their own."""
    schema = Schema(arms=declared)
    assert (schema.width, schema.arm_width, schema.arm_names) == (0, Schema(declared).width, Schema(declared).names)
    np.testing.assert_array_equal(bits(schema.encode_arms(found)), bits(Schema(declared).encode(found)))


NUMBERS = [Attribute(name, AttributeType.NUMBER, center=c, scale=s, always_known=k) for name, c, s, k in (
    ("a", 0.0, 1.0, True), ("b", 1e16, 1e-6, False), ("c", -3.0, 1e-300, True), ("d", 1e300, 1e300, False),
)]  # fmt: skip
VALUES = st.floats() | st.integers() | EDGES | st.none() | st.booleans()
TAME = st.floats(-1e5, 1e5) | st.integers(-(10**5), 10**5)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.lists(st.fixed_dictionaries({"a": VALUES, "b": TAME}, optional={"c": TAME, "d": TAME})))
def test_the_short_way_is_the_long_way(size, found):
    """Contexts of nothing but numbers have the bits that they have beside an attribute of another type."""
    short = Schema(NUMBERS[:size], interactions=[("a", "a")])
    long = Schema([*NUMBERS[:size], Attribute("flag", AttributeType.BOOLEAN, always_known=True)])
    expected = long.encode(found)[:, :-1]
    np.testing.assert_array_equal(bits(short.encode(found)[:, :-1]), bits(expected))
    for context, row in zip(found, expected, strict=True):
        np.testing.assert_array_equal(bits(short.encode_one(context)[:-1]), bits(row))


def test_blocks_meet():
    """More rows than are encoded at once come out as each alone."""
    schema = Schema([Attribute("a", AttributeType.NUMBER), Attribute("b", AttributeType.CATEGORY, values=("x",))])
    found = [{"a": i, "b": "xy"[i % 2]} if i % 7 else {} for i in range(700)]
    np.testing.assert_array_equal(schema.encode(found), [schema.encode_one(context) for context in found])


def test_defaults_of_a_mapping_are_not_asked_for():
    """A context is read, never written: a mapping that would make up what is missing is not asked to."""
    from collections import defaultdict

    found = defaultdict(float, x0=1.0)
    assert Schema.numeric(2).encode_one(found).tolist() == [1.0, 0.0]
    assert Schema.numeric(2).encode([found] * 9)[8].tolist() == [1.0, 0.0]
    assert dict(found) == {"x0": 1.0}
