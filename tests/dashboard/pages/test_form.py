"""The editor's form keeps what was typed, and turns it into an experiment's JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec
import pytest

from bandit import registry
from dashboard.pages.form import ExperimentForm
from dashboard.pages.reading import FormInvalid
from experiments.definition import parse

FULL: dict[str, Any] = {
    "key": "full",
    "name": "Everything set",
    "hypothesis": "It works.",
    "unit": "visitor",
    "traffic": 0.35,
    "variants": [
        {"key": "a", "control": True, "content": {"headline": "A", "n": [1, {"x": None}]}, "attributes": {"tone": 1}},
        {
            "key": "b",
            "name": "B",
            "content": {"button": {"label": "not text"}},
            "enabled": False,
            "weight": 2.5,
            "cost": 0.75,
        },
    ],
    "context": [
        {"name": "device", "type": "category", "values": ["mobile", "desktop, large"]},
        {"name": "hour", "type": "cyclic", "period": 24},
        {"name": "age", "type": "number", "center": 40, "scale": 12.5, "always_known": True},
        {"name": "seen", "type": "boolean"},
        {"name": "tags", "type": "tags", "values": ["sale", "new"]},
        {"name": "query", "type": "text", "columns": 16},
        {"name": "price", "type": "number", "standardize": True},
    ],
    "interactions": [["device", "hour"], ["age", "age"]],
    "variant_attributes": [
        {"name": "tone", "type": "number", "scale": 2.5, "always_known": True},
        {"name": "mood", "type": "category", "values": ["calm"]},
    ],
    "audience": {"device": "mobile", "$or": [{"hour": {"$gte": 9}}, {"age": {"$lt": 30}}]},
    "metrics": [
        {"key": "clicks", "kind": "count", "role": "secondary", "cap": 10, "margin": 0.125, "increase": True},
        {
            "key": "revenue",
            "kind": "revenue",
            "window_seconds": 5400,
            "default": -1,
            "min": -2.5,
            "max": 500,
            "cap": 99.5,
        },
        {"key": "left", "kind": "bounce", "role": "guardrail", "margin": 0.05, "pauses": True},
        {"key": "time", "kind": "duration", "role": "secondary", "increase": False},
        {"key": "spend", "kind": "cost", "role": "secondary"},
        {"key": "roas", "kind": "ratio", "role": "secondary", "numerator": "revenue", "denominator": "spend"},
    ],
    "segments": [{"attribute": "device"}, {"attribute": "age", "cuts": [30, 49.5]}],
    "covariate": "price",
    "planned_rows": 50_000,
    "smallest_lift": 1.25,
    "policy": {"name": "thompson_normal", "params": {}},
    "exploration": 0.125,
    "starts_at": "2026-11-22T10:00:00Z",
    "ends_at": "2026-12-01T00:00:30Z",
    "tags": ["pricing", "q4"],
}


def typed(form: ExperimentForm) -> dict[str, str]:
    """What a browser sends for a form."""
    plain = {item.name: getattr(form, item.name) for item in fields(form) if item.type == "str"}
    plain |= {f"param-{name}": text for name, text in form.params.items()}
    for prefix in ("variants", "metrics", "segments", "context", "variant_attributes"):
        for number, row in enumerate(getattr(form, prefix)):
            values: Mapping[str, Any] = {item.name: getattr(row, item.name) for item in fields(row)}
            plain |= {f"{prefix}-{number}-{name}": value for name, value in values.items() if isinstance(value, str)}
            plain |= {
                f"{prefix}-{number}-{name}": "on" for name in ("enabled", "standardize", "pauses") if values.get(name)
            }
            if values.get("control"):
                plain["control"] = str(number)
    return plain


def test_an_experiment_survives_the_form() -> None:
    """Opening the editor and saving changes nothing, whatever was set."""
    definition = parse(FULL)
    form = ExperimentForm.of(msgspec.to_builtins(definition))
    assert parse(ExperimentForm.read(typed(form)).body()) == definition


@pytest.mark.parametrize("name", registry.names())
def test_every_policy_survives_the_form_with_its_parameters(name: str) -> None:
    """Each parameter of each registered policy has a field that keeps its value."""
    params = {item.name: item.default for item in registry.parameters(name)}
    definition = parse(FULL | {"policy": {"name": name, "params": params}})
    form = ExperimentForm.of(msgspec.to_builtins(definition))
    assert parse(ExperimentForm.read(typed(form)).body()).policy == definition.policy


@pytest.mark.parametrize(
    "goal", [{"goal": "earn"}, {"goal": "prove", "may_change": True}, {"goal": "custom", "exploration": 0.05}]
)
def test_every_goal_survives_the_form(goal: dict[str, Any]) -> None:
    """What exploration is for stays as it was, with the share of its own where it has one."""
    definition = parse({name: FULL[name] for name in ("key", "variants", "metrics")} | goal)
    form = ExperimentForm.of(msgspec.to_builtins(definition))
    assert parse(ExperimentForm.read(typed(form)).body()) == definition


def test_an_empty_form_needs_only_a_key() -> None:
    """The defaults of the form are an experiment."""
    form = ExperimentForm.read(typed(ExperimentForm.empty()) | {"key": "spring"})
    definition = parse(form.body())
    assert [variant.key for variant in definition.variants] == ["a", "b"]
    assert definition.exploration == 0.2


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("audience", '{"device": ', "not JSON"),
        ("audience", '["device"]', "not an object"),
        ("audience", '{"a": NaN}', "NaN is not a JSON number"),
        ("audience", "[" * 100_000, "not JSON"),
        ("traffic", "130", "from 0 to 100"),
        ("traffic", "", "needed"),
        ("traffic", "nan", "not a number"),
        ("exploration", "-1", "from 0 to 100"),
        ("interactions", "device hour", "'device hour' is not a pair"),
        ("interactions", "device * hour, device *", "'device * ' is not a pair"),
        ("metrics-0-window", "soon", "not a number"),
        ("metrics-0-margin", "101", "from 0 to 100"),
        ("segments-0-cuts", "30, fifty", "'fifty' is not a number"),
        ("planned_rows", "many", "not a number"),
        ("smallest_lift", "a bit", "not a number"),
        ("variants-0-cost", "a voucher", "not a number"),
        ("variants-0-weight", "1e999", "not a number"),
        ("variants-1-content", '{"headline": "twice"}', "its own field"),
        ("variants-0-attributes", "{", "not JSON"),
    ],
)
def test_a_field_that_does_not_parse_is_named(name: str, text: str, complaint: str) -> None:
    """The complaint stands at the field, and says what was wrong."""
    values = typed(ExperimentForm.empty()) | {"key": "spring", "variants-1-headline": "once", name: text}
    with pytest.raises(FormInvalid) as caught:
        ExperimentForm.read(values).body()
    assert complaint in caught.value.problems[name]


def test_rows_keep_their_order_over_gaps() -> None:
    """A removed row leaves a gap in the numbers, and nothing else."""
    form = ExperimentForm.read(
        {
            "variants-10-key": "c",
            "variants-2-key": "b",
            "variants-0-key": "a",
            "variants-x-key": "no",
            "variants-1": "no",
        }
    )
    assert [row.key for row in form.variants] == ["a", "b", "c"]
