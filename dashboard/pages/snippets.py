"""Code for the site's engineer: the two calls of an experiment, ready to paste."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from bandit.features import Attribute, AttributeType
from experiments.model import Experiment, MetricKind


@dataclass(frozen=True, slots=True)
class Snippets:
    """The calls for a terminal and for a page."""

    curl: str
    javascript: str


def of(experiment: Experiment, *, url: str) -> Snippets:
    """Write the calls of an experiment served at ``url``; KEY stands for a key of scope site."""
    choose = {"experiment": experiment.key, "unit": "visitor-123"} | _context(experiment)
    reward = {"decision": "TOKEN", "metric": experiment.objective.key} | _value(experiment)
    return Snippets(curl=_curl(url, choose, reward), javascript=_javascript(url, choose, reward))


def _curl(url: str, choose: dict[str, Any], reward: dict[str, Any]) -> str:
    return "\n\n".join(
        f"curl {url}/{path} \\\n  -H 'Authorization: Bearer KEY' \\\n  -d {shlex.quote(json.dumps(body))}"
        for path, body in (("choose", choose), ("reward", reward))
    )


def _javascript(url: str, choose: dict[str, Any], reward: dict[str, Any]) -> str:
    call = json.dumps(choose, indent=2).replace('"unit": "visitor-123"', '"unit": visitorId')
    value = f", value: {json.dumps(reward['value'])}" if "value" in reward else ""
    return f"""const landit = {json.dumps(url)}, key = "KEY";

// 1. Which variant does this visitor see?
const answer = await fetch(`${{landit}}/choose?key=${{key}}`, {{
  method: "POST",
  body: JSON.stringify({call.replace(chr(10), chr(10) + "  ")}),
}}).then((response) => response.json());
show(answer.content);

// 2. Later: it converted.
navigator.sendBeacon(`${{landit}}/reward?key=${{key}}`,
  JSON.stringify({{decision: answer.decision, metric: {json.dumps(reward["metric"])}{value}}}));"""


def _context(experiment: Experiment) -> dict[str, Any]:
    attributes = experiment.definition.context
    return {"context": {item.name: _example(item) for item in attributes}} if attributes else {}


def _example(attribute: Attribute) -> Any:
    named = attribute.values[0] if attribute.values else "value"
    return {
        AttributeType.CATEGORY: named,
        AttributeType.TAGS: [named],
        AttributeType.BOOLEAN: True,
        AttributeType.NUMBER: attribute.center,
        AttributeType.CYCLIC: 0,
        AttributeType.TEXT: "cheap red shoes",
    }[AttributeType(attribute.type)]


def _value(experiment: Experiment) -> dict[str, Any]:
    plain = {MetricKind.CONVERSION, MetricKind.COUNT, MetricKind.BOUNCE}
    return {} if experiment.objective.kind in plain else {"value": 59.9}
