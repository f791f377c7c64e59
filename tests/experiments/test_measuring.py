"""What a definition measures, and by what it tells results apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from experiments.definition import changes_phase, frozen_fields_changed, parse
from experiments.errors import Invalid
from experiments.model import Experiment, State

BODY: dict[str, Any] = {
    "key": "spring",
    "variants": [{"key": "a", "control": True}, {"key": "b"}],
    "metrics": [{"key": "sale"}],
    "context": [{"name": "device", "type": "category", "values": ["mobile", "desktop"]}],
}
PRICE = {"name": "price", "type": "number", "scale": 10}
WIDE = {"name": "a", "type": "category", "values": [str(i) for i in range(24)]}
TEXT = {"name": "q", "type": "text", "columns": 8}
SALE = {"key": "sale"}
SECOND = {"key": "second", "role": "secondary"}
RATIO = {"key": "both", "role": "secondary", "kind": "ratio"}
PARTS = {"numerator": "second", "denominator": "sale"}
OF_ALL = {"key": "both", "kind": "ratio"} | PARTS
ADDED = {"version", "phase", "state", "winner", "beaten", "standards", "exploration"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": [SALE] + [SECOND | {"key": f"m{i}"} for i in range(20)]}, r"metrics: must be 1 to 20, found 21"),
        ({"metrics": [SALE, SECOND | {"key": "sale"}]}, r"metrics: must be distinct, found \['sale'\]"),
        ({"metrics": [SALE | {"pauses": True}]}, r"metrics\[0\].pauses: is for guardrails, found 'objective'"),
        ({"metrics": [SALE, SECOND | {"margin": 1.5}]}, r"metrics\[1\].margin: .*found 1.5"),
        (
            {"metrics": [SALE, SECOND | {"numerator": "sale"}]},
            r"metrics\[1\].numerator: is for a ratio, and second is a",
        ),
        ({"metrics": [SALE, RATIO]}, r"metrics\[1\].numerator: must be a metric that is no ratio \(sale\), found None"),
        ({"metrics": [SALE, RATIO | {"numerator": "both"}]}, r"metrics\[1\].numerator: .*found 'both'"),
        (
            {"metrics": [SALE, RATIO | PARTS | {"numerator": "sale"}]},
            r"metrics\[1\].denominator: must be another metric",
        ),
        ({"metrics": [SALE, SECOND, RATIO | PARTS | {"cap": 3}]}, r"metrics\[2\]: a ratio has no cap of its own"),
        (
            {"metrics": [SECOND, SALE | {"role": "secondary"}, OF_ALL]},
            r"metrics\[2\].role: must not be objective for a",
        ),
        (
            {"metrics": [{"key": "left", "kind": "bounce"}]},
            r"metrics\[0\]: must be a metric of which more is better, as th",
        ),
        ({"metrics": [SALE | {"increase": False}]}, r"metrics\[0\]: .*found 'sale \(conversion\)'. Take its opposite"),
        (
            {"metrics": [SALE, SECOND | {"kind": "bounce", "default": 1}]},
            r"metrics\[1\].default: must be left out for a b",
        ),
        ({"metrics": [SALE, SECOND | {"kind": "bounce", "max": 2}]}, r"metrics\[1\].max: must be 1 for a bounce"),
        (
            {"metrics": [SALE, SECOND | {"kind": "duration", "min": -1}]},
            r"metrics\[1\].min: must not be negative for a d",
        ),
        ({"variants": [{"key": "a", "cost": -1}]}, r"variants\[0\].cost: .*found -1"),
        ({"segments": [{"attribute": "device"}] * 2}, r"segments: must be distinct, found \['device'\]"),
        ({"segments": [{"attribute": "hour"}]}, r"segments\[0\].attribute: must be declared in the context \(device\)"),
        (
            {"segments": [{"attribute": "device", "cuts": [1]}]},
            r"segments\[0\].cuts: are for numbers, and device is a cat",
        ),
        (
            {"context": [PRICE], "segments": [{"attribute": "price"}]},
            r"segments\[0\].cuts: must be 1 to 19 for a number",
        ),
        ({"context": [PRICE], "segments": [{"attribute": "price", "cuts": [2, 2]}]}, r"segments\[0\].cuts: must rise"),
        (
            {"context": [WIDE], "segments": [{"attribute": "a"}]},
            r"segments\[0\].attribute: must have at most 20 known",
        ),
        ({"context": [TEXT], "segments": [{"attribute": "q"}]}, r"segments\[0\].attribute: .*found 'text'"),
        ({"segments": [{"attribute": f"a{i}"} for i in range(11)]}, r"segments: .*length <= 10"),
        (
            {"covariate": "device"},
            r"covariate: must be a number declared in the context \(which has none\), found 'device'",
        ),
        ({"planned_rows": 99}, r"planned_rows: .*found 99"),
        ({"smallest_lift": 0}, r"smallest_lift: .*found 0"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    """Each wrong field is named with its path, the condition and the value found."""
    with pytest.raises(Invalid, match=message):
        parse(BODY | change)


def test_measures() -> None:
    """Several metrics of every kind, segments, a covariate and a plan are a definition, and come back from JSON."""
    kinds = ["count", "revenue", "score", "bounce", "duration", "cost"]
    metrics: list[dict[str, Any]] = [
        {"key": kind, "kind": kind, "role": "secondary", "window_seconds": 60} for kind in kinds
    ]
    spend = {"key": "return", "kind": "ratio", "role": "guardrail", "margin": 0.05, "pauses": True}
    metrics += [SALE, spend | {"numerator": "revenue", "denominator": "cost"}]
    segments = [{"attribute": "device"}, {"attribute": "price", "cuts": [10, 20]}]
    plan = {"segments": segments, "covariate": "price", "planned_rows": 5000, "smallest_lift": 0.02}
    body = BODY | {"metrics": metrics, "context": [*BODY["context"], PRICE]} | plan
    made = parse(body)
    assert [metric.key for metric in made.metrics if not metric.better_up] == ["bounce", "cost"]
    assert [metric.key for metric in made.metrics if not metric.has_outcome] == ["return"]
    assert (made.n_star, parse(BODY).n_star, made.window, made.segments[1].cuts) == (5000, 10_000, 1800e6, (10, 20))
    kept = Experiment(id=1, definition=made, slots=(0, 1), version=1, phase=1, state=State.DRAFT)
    assert parse(json.dumps({k: v for k, v in kept.to_json().items() if k not in ADDED}).encode()) == made
    assert not parse(BODY | {"metrics": [SALE | {"increase": False}], "policy": {"name": "fixed"}}).metrics[0].better_up


@pytest.mark.parametrize(
    ("change", "frozen"),
    [
        ({"metrics": [SALE, SECOND]}, []),
        ({"metrics": [SALE, SECOND, SECOND | {"key": "third", "window_seconds": 5}]}, []),
        ({"metrics": [SALE]}, []),
        ({"metrics": [SALE, SECOND | {"role": "guardrail"}]}, ["metrics.second.role"]),
        ({"metrics": [SALE, SECOND | {"margin": 0.1}]}, ["metrics.second.margin"]),
        ({"metrics": [SALE, SECOND | {"increase": False}]}, ["metrics.second.increase"]),
        ({"metrics": [SALE | {"margin": 0.1}, SECOND]}, ["metrics (the objective)"]),
        ({"metrics": [SALE, SECOND | {"kind": "count"}]}, ["metrics.second.kind"]),
        ({"metrics": [SALE, SECOND | {"window_seconds": 5}]}, ["metrics.second.window_seconds"]),
        ({"metrics": [SALE | {"role": "secondary"}, {"key": "second"}]}, ["metrics (the objective)"]),
        ({"segments": [{"attribute": "device"}]}, ["segments"]),
        ({"planned_rows": 100}, ["planned_rows"]),
        ({"smallest_lift": 0.1}, ["smallest_lift"]),
        ({"variants": [{"key": "a"}, {"key": "b", "control": True}]}, ["variants (the control)"]),
        ({"variants": [{"key": "c"}, {"key": "b"}, {"key": "a", "control": True}]}, []),
        ({"variants": [{"key": "b"}, {"key": "c"}, {"key": "d"}]}, []),
    ],
)
def test_what_is_measured_is_frozen(change: dict[str, Any], frozen: list[str]) -> None:
    """What outcomes mean and how results are told apart stays, and what a proof claims; further metrics may come."""
    two = BODY | {"metrics": [SALE, SECOND]}
    assert frozen_fields_changed(parse(two), parse(two | change)) == frozen
    assert changes_phase(parse(two), parse(two | change)) == (len(change.get("variants", "ab")) > 2)
