"""The door of a definition."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.definition import changes_phase, frozen_fields_changed, parse, parse_time, warnings
from experiments.errors import Invalid, NotJSON
from experiments.model import Experiment, State, UnitKind

BODY: dict[str, Any] = {
    "key": "spring",
    "variants": [{"key": "a", "control": True}, {"key": "b"}],
    "metrics": [{"key": "sale"}],
    "context": [{"name": "device", "type": "category", "values": ["mobile", "desktop"]}],
}
TONE = {"name": "tone", "type": "category", "values": ["calm", "loud"]}
PRICE = {"name": "price", "type": "number", "scale": 10}
TONE_IS_WRONG = r"variants\[0\].attributes.tone: must be a category as declared, found 3"
WIDE = [{"name": name, "type": "category", "values": [str(i) for i in range(24)]} for name in "ab"]
LONG = {"context": [{"name": "q", "type": "text", "columns": 400}], "policy": {"name": "linucb"}}
MANY = LONG | {"variants": [{"key": f"v{i}"} for i in range(200)]}
SHARING = LONG | {"variant_attributes": [WIDE[0] | {"always_known": True}]}


def test_defaults() -> None:
    """What is left out has the defaults of the documentation."""
    made = parse(json.dumps(BODY).encode())
    assert made == parse(BODY)
    assert (made.unit, made.traffic, made.policy.name, made.exploration) == (UnitKind.VISITOR, 1.0, "thompson", None)
    assert made.metrics[0].window_seconds == 1800


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "A b"}, r"key: .*'A b'"),
        ({"nmae": "x"}, r"unknown field `nmae`"),
        ({"variants": []}, r"variants: must be 1 to 200, found 0"),
        ({"variants": [{"key": f"v{i}"} for i in range(201)]}, r"found 201"),
        ({"variants": [{"key": "a"}, {"key": "a"}]}, r"variants: must be distinct, found \['a'\]"),
        ({"variants": [{"key": "a", "control": True}, {"key": "b", "control": True}]}, r"control, found \['a', 'b'\]"),
        ({"variants": [{"key": "a", "enabled": False}]}, r"at least one must be enabled"),
        ({"variants": [{"key": "a", "weight": 0}]}, r"variants\[0\].weight: .*found 0"),
        ({"variants": [{"key": "a", "content": {"x": ["\0"]}}]}, r"variants\[0\].content.x\[0\]: must not hold NUL"),
        ({"metrics": []}, r"metrics: exactly one must be the objective, found \[\]"),
        ({"metrics": [{"key": "x"}, {"key": "y"}]}, r"found \['x \(objective\)', 'y \(objective\)'\]"),
        ({"metrics": [{"key": "x", "role": "guardrail"}]}, r"the objective, found \['x \(guardrail\)'\]"),
        ({"metrics": [{"key": "x", "max": 2}]}, r"metrics\[0\].max: must be 1 for a conversion, found 2"),
        ({"metrics": [{"key": "x", "default": 2}]}, r"metrics\[0\].default: .*found 2"),
        ({"metrics": [{"key": "x", "kind": "score", "min": 3, "max": 2}]}, r"metrics\[0\].min: .*found 3"),
        ({"metrics": [{"key": "x", "window_seconds": 0}]}, r"metrics\[0\].window_seconds: .*found 0"),
        ({"context": [{"name": "d", "type": "colour"}]}, r"context\[0\].type: .*found 'colour'"),
        ({"context": [{"name": "d", "type": "boolean"}] * 2}, r"context: must be distinct, found \['d'\]"),
        ({"context": [{"name": "hour", "type": "cyclic"}]}, r"context: .*hour.*period"),
        (
            {"context": [{"name": "Device", "type": "boolean"}]},
            r"context\[0\].name: must be a key, found 'Device'",
        ),
        ({"context": [{"name": "device\n", "type": "boolean"}]}, r"context\[0\].name: must be a key"),
        (
            {"context": [{"name": "q", "type": "text", "colums": 8}]},
            r"context\[0\]: must have no .*'colums'",
        ),
        ({"context": [{"name": "q", "type": "text", "columns": 0}]}, r"context: attribute q: columns must lie in"),
        ({"context": [{"name": "q", "type": "text", "columns": 500}]}, r"context: must make at most 500 .*found 501"),
        ({"context": [{"name": f"a{i}", "type": "boolean"} for i in range(101)]}, r"context: .*length <= 100"),
        ({"context": [{"name": "d", "type": "boolean", "standardize": True}]}, r"context: .*d: only a number can be"),
        ({"interactions": [["device", "hour"]]}, r"interactions: .*found 'hour'"),
        ({"interactions": [["device"]]}, r"interactions\[0\]: .*length 2"),
        ({"interactions": [["device", "device"]]}, r"interactions: .*a number with itself, found 'device'"),
        ({"context": WIDE, "interactions": [["a", "b"]]}, r"interactions: must make at most 500 columns, found 677"),
        (MANY, r"context: must make at most 199 columns with 200 variants, found 401. Declare fewer"),
        (SHARING, r"variant_attributes: must make at most 3 columns beside the 401 of the context, found 25"),
        ({"variant_attributes": [{"name": "a b", "type": "boolean"}]}, r"variant_attributes\[0\].name: must be a key"),
        ({"variant_attributes": [TONE, TONE]}, r"variant_attributes: must be distinct, found \['tone'\]"),
        ({"variant_attributes": [PRICE | {"standardize": True}]}, r"variant_attributes: .*price: an arm's number"),
        ({"variant_attributes": [TONE], "variants": [{"key": "a", "attributes": {"tone": 3}}]}, TONE_IS_WRONG),
        ({"variants": [{"key": "a", "attributes": {"tone": {"x": 1}}}]}, r"variants\[0\].attributes"),
        ({"tags": [f"t{i}" for i in range(21)]}, r"tags: .*length <= 20"),
        ({"tags": ["x" * 65]}, r"tags.*length <= 64"),
        ({"tags": [""]}, r"tags.*length >= 1"),
        ({"policy": {"name": "oracle"}}, r"policy.name: must be one of fixed, .*found 'oracle'"),
        ({"policy": {"name": "linucb", "params": {"beta": 1}}}, r"policy.params: linucb has .*found 'beta'"),
        ({"policy": {"name": "linucb", "params": {"alpha": -1}}}, r"policy.params: .*alpha.*-1"),
        ({"exploration": 1.5}, r"exploration: .*found 1.5"),
        ({"traffic": float("nan")}, r"traffic: must be finite, found nan"),
        ({"traffic": 10**400}, r"traffic: "),
        ({"audience": {"device": {"$like": "m"}}}, r"audience.device.\$like"),
        ({"starts_at": "tomorrow"}, r"starts_at: .*found 'tomorrow'"),
        ({"ends_at": "2026-11-22T10:00:00+01:00"}, r"ends_at: .*found '2026"),
        ({"starts_at": "2026-11-22T10:00:00Z", "ends_at": "2026-11-22T10:00:00Z"}, r"ends_at: must be after starts_at"),
        ({"name": "\ud800"}, r"cannot be written as JSON"),
        ({"name": "x" * (1 << 20)}, r"at most 1048576 bytes"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    """Each wrong field is named with its path, the condition and the value found."""
    with pytest.raises(Invalid, match=message):
        parse(BODY | change)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"traffic": NaN}'])
def test_not_json(body: bytes) -> None:
    """Bytes that are not JSON are told apart from JSON that is wrong."""
    with pytest.raises(NotJSON):
        parse(body)


FIELDS = ["key", "content", "attributes", "weight", "min", "max", "cap", "default", "window_seconds", "kind", "role"]
FIELDS += ["cost", "increase", "numerator", "denominator", "margin", "pauses"]
FIELDS += ["name", "type", "values", "period", "center", "scale", "columns", "standardize", "always_known"]
PLACES = [*BODY, "audience", "policy", "starts_at", "tags", "interactions", "variant_attributes"]
PLACES += ["segments", "covariate", "planned_rows", "smallest_lift"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("a") | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(PLACES), JSON, max_size=4))
def test_arbitrary_json(fields: dict[str, Any]) -> None:
    """Whatever JSON comes in, the answer is a definition or ``Invalid``."""
    with suppress(Invalid):
        assert parse(BODY | fields).key


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(["variants", "metrics", "context"]), name=st.sampled_from(FIELDS), value=JSON)
def test_arbitrary_field(place: str, name: str, value: Any) -> None:
    """A wrong value deep inside is ``Invalid`` too."""
    inner = dict(BODY[place][0]) | {name: value}
    with suppress(Invalid):
        assert parse(BODY | {place: [inner]}).key


def test_warnings() -> None:
    """A window above an hour is allowed, and said to learn late."""
    assert warnings(parse(BODY)) == []
    (warning,) = warnings(parse(BODY | {"metrics": [{"key": "sale", "window_seconds": 7200}]}))
    assert warning.startswith("metrics[0].window_seconds: learns late")
    slow = {"key": "kept", "role": "guardrail", "window_seconds": 9000}
    (warning,) = warnings(parse(BODY | {"metrics": [{"key": "sale", "window_seconds": 7200}, slow]}))
    assert warning.startswith("metrics[1].window_seconds: learns late: nothing is learned before the first reward wind")


def test_time() -> None:
    """Times are exact to the microsecond, on either side of 1970."""
    assert parse_time("2026-11-22T10:00:00.000001Z") == 1_795_341_600_000_001
    assert parse_time("1969-12-31T23:59:59.999999Z") == -1


def test_changes() -> None:
    """A new attribute begins a phase; another type for an old one is not allowed after the start."""
    old = parse(BODY)
    new = parse(BODY | {"context": [*BODY["context"], {"name": "hour", "type": "cyclic", "period": 24}]})
    assert changes_phase(old, new)
    assert frozen_fields_changed(old, new) == []
    assert changes_phase(old, parse(BODY | {"variant_attributes": [TONE]}))
    squared = parse(BODY | {"context": [PRICE], "interactions": [["price", "price"]]})
    assert changes_phase(parse(BODY | {"context": [PRICE]}), squared)
    priced, toned = (parse(BODY | {"variant_attributes": [made]}) for made in (PRICE | {"name": "tone"}, TONE))
    assert frozen_fields_changed(priced, toned) == ["variant_attributes.tone.type"]
    other = parse(BODY | {"key": "x", "context": [{"name": "device", "type": "boolean"}]})
    assert frozen_fields_changed(old, other) == ["key", "context.device.type"]


def test_what_is_declared_reaches_the_policy() -> None:
    """The schema and the arms of an experiment hold the interactions, and what its variants say of themselves."""
    variants = [{"key": "a", "attributes": {"tone": "loud", "price": 5}}, {"key": "b", "attributes": {"free": ["x"]}}]
    context = [*BODY["context"], {"name": "query", "type": "text", "columns": 8}]
    declared = {"variants": variants, "context": context, "variant_attributes": [TONE, PRICE]}
    definition = parse(BODY | declared | {"interactions": [["device", "query"]]})
    made = Experiment(id=1, definition=definition, slots=(0, 1), version=1, phase=1, state=State.DRAFT)
    assert made.schema.width == (3 + 1) + (8 + 1) + 3 * 8
    assert made.schema.encode_arms(made.arms.attributes).tolist() == [
        [0.0, 1.0, 0.0, 0.0, 0.5, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 1.0],
    ]
    assert parse(json.dumps({k: v for k, v in made.to_json().items() if k not in SHOWN}).encode()) == definition


SHOWN = {"version", "phase", "state", "winner", "beaten", "standards", "exploration"}


@pytest.mark.parametrize(
    ("metric", "policy", "warned"),
    [
        ({"kind": "revenue"}, "thompson", True),
        ({"kind": "revenue"}, "thompson_normal", False),
        ({"kind": "revenue", "cap": 50}, "auto", False),
        ({"kind": "count"}, "thompson_count", False),
        ({"kind": "score", "min": 1, "max": 5, "default": 3}, "logistic_ucb", True),
        ({"kind": "conversion"}, "thompson", False),
    ],
)
def test_a_policy_that_cannot_learn_the_objective_is_told(metric: dict[str, Any], policy: str, warned: bool) -> None:
    """Beta and logistic policies leave out rewards beyond 1: the editor and the command line say so at once."""
    body = {"key": "k", "variants": [{"key": "a"}, {"key": "b"}], "policy": {"name": policy}}
    found = warnings(parse(body | {"metrics": [{"key": "m"} | metric]}))
    assert [note.startswith(f"policy.name: {policy} does not learn all of 'm'") for note in found] == [True] * warned
