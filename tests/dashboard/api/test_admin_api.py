"""The admin API: experiments as JSON, decisions by id or token, errors in one shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from experiments.access import Scope
from experiments.model import Experiment
from experiments.records import DecisionRecord, RewardRecord
from experiments.service.tokens import Token, sign
from experiments.store import Store


@pytest.fixture
def client(app: Flask, key_headers: Callable[[Scope], dict[str, str]]) -> FlaskClient:
    """A program with an admin key."""
    built = app.test_client()
    built.environ_base["HTTP_AUTHORIZATION"] = key_headers(Scope.ADMIN)["Authorization"]
    return built


def test_an_experiment_walks_through_the_api(client: FlaskClient, body: dict[str, Any]) -> None:
    """Create, read, save what was read with a change, start, stop with a winner."""
    created = client.post("/api/experiments", json=body)
    assert (created.status_code, created.headers["Location"]) == (201, "/api/experiments/spring")
    shown = client.get("/api/experiments/spring").json
    assert (shown["version"], shown["phase"], shown["state"], shown["winner"]) == (1, 1, "draft", None)
    saved = client.put("/api/experiments/spring", json=shown | {"traffic": 0.5})
    assert (saved.status_code, saved.json["version"], saved.json["traffic"]) == (200, 2, 0.5)
    assert client.put("/api/experiments/spring", json=shown).status_code == 409
    assert client.post("/api/experiments/spring/start").json["state"] == "running"
    assert client.post("/api/experiments/spring/start").status_code == 409
    assert client.post("/api/experiments/spring/stop", json={"winner": "b"}).json["winner"] == "b"
    assert [item["key"] for item in client.get("/api/experiments").json["experiments"]] == ["spring"]


def test_attributes_and_goals_walk_through_the_api(client: FlaskClient, body: dict[str, Any]) -> None:
    """What is declared of visitors and variants is kept; what was read may be sent back; types are frozen."""
    text, tone = {"name": "query", "type": "text", "columns": 8}, {"name": "tone", "type": "category"}
    declared = {"context": [text], "variant_attributes": [tone], "goal": "earn"}
    created = client.post("/api/experiments", json=body | declared | {"interactions": []})
    assert created.status_code == 201, created.json
    shown = client.get("/api/experiments/spring").json
    assert (shown["context"][0]["columns"], shown["variant_attributes"][0]["name"]) == (8, "tone")
    shown["variants"][0]["attributes"] = {"tone": "calm"}
    saved = client.put("/api/experiments/spring", json=shown)
    assert (saved.status_code, saved.json["goal"]) == (200, "earn")
    started = client.post("/api/experiments/spring/start").json
    retyped = started | {"variant_attributes": [tone | {"type": "number"}], "variants": body["variants"]}
    refused = client.put("/api/experiments/spring", json=retyped)
    assert refused.status_code == 422
    assert "variant_attributes.tone.type" in refused.json["error"]["message"]


def test_measures_walk_through_the_api(client: FlaskClient, body: dict[str, Any]) -> None:
    """Metrics of every kind, segments, covariate and plan are kept; what must not change is frozen by the start."""
    price = {"name": "price", "type": "number"}
    cost = {"key": "spent", "kind": "cost", "role": "secondary"}
    parts = {"numerator": body["metrics"][0]["key"], "denominator": "spent"}
    ratio = {"key": "return", "kind": "ratio", "role": "guardrail", "margin": 0.1, "pauses": True} | parts
    plan = {"covariate": "price", "planned_rows": 500, "segments": [{"attribute": "price", "cuts": [1.5]}]}
    metrics = [*body["metrics"], cost, ratio]
    made = client.post("/api/experiments", json=body | plan | {"context": [price], "metrics": metrics})
    assert made.status_code == 201, made.json
    shown = client.get("/api/experiments/spring").json
    assert (shown["metrics"][2]["pauses"], shown["metrics"][1]["increase"], shown["smallest_lift"]) == (
        True,
        None,
        None,
    )
    shown["variants"][0]["cost"] = 0.25
    assert client.put("/api/experiments/spring", json=shown).json["variants"][0]["cost"] == 0.25
    started = client.post("/api/experiments/spring/start").json
    for change in ({"planned_rows": 600}, {"covariate": None}, {"segments": []}):
        refused = client.put("/api/experiments/spring", json=started | change)
        assert (refused.status_code, refused.json["error"]["code"]) == (422, "frozen")
    more = [*started["metrics"], {"key": "clicks", "kind": "count", "role": "secondary"}]
    assert client.put("/api/experiments/spring", json=started | {"metrics": more}).status_code == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"not json", 400),
        (b'{"key": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b'{"key": NaN}', 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"key": "a", "variants": [{"key": "a"}], "metrics": [{"key": "m"}], "colour": 1}', 422),
        (b'{"key": "\\u0000", "variants": [{"key": "a"}], "metrics": [{"key": "m"}]}', 422),
        (b"x" * (5 << 20), 413),
    ],
)
def test_bad_bodies_are_refused_in_the_one_shape(client: FlaskClient, data: bytes, status: int) -> None:
    """Each with its status, what was wrong and a code; never a 500."""
    answer = client.post("/api/experiments", data=data)
    assert answer.status_code == status
    assert set(answer.json["error"]) == {"code", "message", "hint"}
    assert answer.json["error"]["message"]


def test_saving_needs_the_version_and_the_same_key(
    client: FlaskClient, body: dict[str, Any], experiment: Experiment
) -> None:
    """422 without either."""
    assert client.put("/api/experiments/spring", json=body).status_code == 422
    assert client.put("/api/experiments/spring", json=body | {"version": True}).status_code == 422
    assert client.put("/api/experiments/spring", json=body | {"version": 1, "key": "other"}).status_code == 422
    assert client.post("/api/experiments/spring/stop", json={"winners": "b"}).status_code == 422
    assert client.post("/api/experiments/spring/fly").status_code == 404


def test_unknown_things_are_not_found_as_json(client: FlaskClient) -> None:
    """Experiments, decisions and addresses."""
    for path in ("/api/experiments/no", "/api/nothing", "/decisions/" + "0" * 32, "/experiments/no/report.json"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json["error"]["message"]
    assert client.delete("/api/experiments").status_code == 405


def test_a_missing_and_a_wrong_key(app: Flask, anonymous: Any, editor: Any) -> None:
    """401 with what to send; a person's session is no key; a page's key header is judged too."""
    assert anonymous.get("/api/experiments").headers["WWW-Authenticate"].startswith("Bearer")
    assert editor.get("/api/experiments").status_code == 401
    for headers in ({"Authorization": "Bearer nope"}, {"X-API-Key": ""}, {"Authorization": "Bearer \udcff"}):
        assert app.test_client().get("/api/experiments", headers=headers).status_code == 401


def test_a_decision_is_read_by_id_and_by_token(
    app: Flask, kept: Store, experiment: Experiment, key_headers: Callable[[Scope], dict[str, str]], clock: Any
) -> None:
    """What was logged, and the fate of its rewards."""
    decision, unit = "0192f0c1e0007000800000000000abcd", "ab" * 16
    record = DecisionRecord(
        id=decision, experiment=experiment.id, version=1, phase=1, unit=unit, time=clock(), variant="b",
        probability=0.25, distribution=b"[0.75,0.25]", policy="thompson", policy_version=3, reason="policy",
        context={"device": "mobile"},
    )  # fmt: skip
    reward = RewardRecord(experiment=experiment.id, decision=decision, metric="purchase", value=1, time=clock())
    kept.ship("j.log", start=0, end=10, records=[record, reward])
    token = Token(
        experiment=experiment.id, decision=decision, unit=unit, variant="b", probability=0.25, policy_version=3,
        time=clock(),
    )  # fmt: skip
    headers = key_headers(Scope.SERVER)
    by_id = app.test_client().get(f"/decisions/{decision}", headers=headers).json
    by_token = app.test_client().get(f"/decisions/{sign(token, app.extensions['landit'].secret)}", headers=headers).json
    assert by_id == by_token
    assert (by_id["variant"], by_id["probability"], by_id["distribution"]) == ("b", 0.25, {"a": 0.75, "b": 0.25})
    assert by_id["context"] == {"device": "mobile"}
    assert [(r["metric"], r["value"], r["fate"]) for r in by_id["rewards"]] == [("purchase", 1.0, "open")]


def test_nonsense_for_a_decision_is_refused(app: Flask, key_headers: Callable[[Scope], dict[str, str]]) -> None:
    """A forged or truncated token is 422, an unknown id 404."""
    headers, client = key_headers(Scope.SERVER), app.test_client()
    assert client.get("/decisions/forged.token", headers=headers).status_code == 422
    assert client.get("/decisions/" + "f" * 32, headers=headers).status_code == 404
