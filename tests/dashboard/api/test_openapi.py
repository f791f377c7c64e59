"""The OpenAPI document says what the code does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from dashboard.guard.auth import access_of


@pytest.fixture
def document(anonymous: Any) -> dict[str, Any]:
    """The document, as anybody gets it."""
    body: dict[str, Any] = anonymous.get("/openapi.json").json
    return body


def test_every_call_with_a_key_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    """And whatever is in it exists, or is answered in front of the application."""
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    callable_ = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if access_of(app, rule.endpoint).scope is not None
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    extra = {("/choose", "post"), ("/reward", "post"), ("/openapi.json", "get")}
    assert described == callable_ | extra


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No schema is missing."""
    names = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert {"ChooseRequest", "RewardRequest", "Definition", "ErrorBody"} <= names
    assert names <= document["components"]["schemas"].keys()


def test_the_bodies_are_the_ones_that_are_decoded(document: dict[str, Any]) -> None:
    """Limits and closed objects come from the structs themselves."""
    choose = document["components"]["schemas"]["ChooseRequest"]
    assert choose["required"] == ["experiment"]
    assert choose["additionalProperties"] is False
    assert document["paths"]["/choose"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ChooseRequest"
    }


def test_what_is_measured_is_described(document: dict[str, Any]) -> None:
    """Kinds of metrics, segments and the plan are in the document, as the definition's."""
    schemas = document["components"]["schemas"]
    assert {"segments", "covariate", "planned_rows", "smallest_lift"} <= schemas["Definition"]["properties"].keys()
    assert {"increase", "numerator", "denominator", "margin", "pauses"} <= schemas["Metric"]["properties"].keys()
    assert {"bounce", "duration", "cost", "ratio"} <= set(schemas["MetricKind"]["enum"])
    assert schemas["Segment"]["properties"].keys() == {"attribute", "cuts"}
    assert "cost" in schemas["Variant"]["properties"]
