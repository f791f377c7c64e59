"""Whatever a person may type is shown as text: nothing of it becomes markup, an attribute or a script."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from experiments.definition import parse
from experiments.model import State
from experiments.report import build_report
from experiments.store import Store
from tests.dashboard.reports import BODY, rich

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</script><script>alert(1)</script>",
    "</textarea><svg/onload=alert(1)>",
    "<!--<script>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}",
    "\u2028</title><b>",
    "&lt;img src=x onerror=alert(1)&gt;",
)
PAYLOADS = ("".join(ATTACKS), ATTACKS[1], ATTACKS[3], "javascript:alert(1)")
"""All in one text, and those whose first characters matter by themselves."""
PAGES = ("/experiments", "/experiments/spring", "/experiments/spring/live", "/experiments/spring/edit",
         "/experiments/spring/finish", "/audit")  # fmt: skip


class Dangers(HTMLParser):
    """Collects what could run: handlers, foreign addresses, scripts that are not ours, elements that we never use."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element and its attributes."""
        values = dict(attrs)
        self._data = tag == "script" and values.get("type") == "application/json"
        self.found += [f"{tag} {name}" for name in values if name.startswith("on")]
        self.found += [
            f"{tag} {value}" for name in ("href", "src", "action") if (value := values.get(name) or "/")[0] not in "/#"
        ]
        if tag in {"img", "iframe", "object", "b"} or (tag == "script" and not self._data and "src" not in values):
            self.found.append(tag)

    def handle_data(self, data: str) -> None:
        """Look into data for scripts: JSON that cannot end its element."""
        if self._data:
            json.loads(data)
            assert "<" not in data
            self._data = False


TONE = {"name": "tone", "type": "category"}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_typed_text_stays_text(admin: Any, kept: Store, body: dict[str, Any], payload: str) -> None:
    """In every editable text of an experiment, on every page that shows it."""
    body |= {"name": payload, "hypothesis": payload, "tags": [payload[:64], *ATTACKS], "audience": {payload: payload}}
    for variant in body["variants"]:
        variant["name"] = payload
        variant["content"] = dict.fromkeys(("headline", "text", "image", "button", payload), payload)
        variant["attributes"] = {payload: payload}
    body["context"] = [{"name": "device", "type": "category", "values": [payload]}]
    body["context"] += [{"name": "query", "type": "text"}, {"name": "age", "type": "number", "standardize": True}]
    body["segments"] = [{"attribute": "device"}]
    body |= {"interactions": [["device", "query"]], "variant_attributes": [TONE | {"values": [payload]}]}
    kept.create_experiment(parse(body), by=payload)
    kept.set_state("spring", State.RUNNING, by=payload)
    kept.audit(payload, payload, payload, {payload: [payload]})
    for path in PAGES:
        page = admin.get(path)
        assert page.status_code == 200
        dangers = Dangers()
        dangers.feed(page.text)
        assert dangers.found == [], path


@pytest.mark.parametrize("payload", PAYLOADS)
def test_words_of_a_report_stay_text(admin: Any, kept: Store, monkeypatch: pytest.MonkeyPatch, payload: str) -> None:
    """Values of segments, sentences of proofs and of the advice, which quote names."""
    body = BODY | {"variants": [{**variant, "name": payload} for variant in BODY["variants"]]}
    kept.create_experiment(parse(body), by="test")
    found = rich(build_report(kept, kept.experiment("spring"), now=1_800_000_000_000_000), word=payload)
    for module in ("results", "experiments", "lifecycle"):
        monkeypatch.setattr(f"dashboard.pages.{module}.build_report", lambda *_, **__: found)
    for path in PAGES[:-1]:
        dangers = Dangers()
        dangers.feed(admin.get(path).text)
        assert dangers.found == [], path


@pytest.mark.parametrize("payload", PAYLOADS)
def test_echoed_forms_stay_text(admin: Any, anonymous: Any, payload: str) -> None:
    """What was refused comes back in its field, and only there."""
    pages = [
        admin.post("/new", {"key": payload, "name": payload, "variants-0-key": payload, "audience": payload}),
        admin.post("/keys", {"name": payload, "scope": payload, "origins": payload}),
        admin.post("/users", {"email": payload, "role": payload}),
        anonymous.post("/signin", {"email": payload, "password": payload, "next": payload}),
        admin.get("/experiments/" + payload.replace("/", "")),
        admin.get("/signin", query_string={"next": payload}),
    ]
    for page in pages:
        dangers = Dangers()
        dangers.feed(page.text)
        assert dangers.found == []
