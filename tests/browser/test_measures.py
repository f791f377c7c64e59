"""What is measured, planned and proved, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from experiments.clock import system_clock
from experiments.definition import parse
from experiments.model import MetricKind, Role, State
from experiments.report import build_report
from experiments.store import Store
from tests.dashboard.reports import BODY, rich

FITS = "document.documentElement.scrollWidth <= innerWidth"


def test_metrics_and_segments_are_declared_in_the_editor(inside: Page, kept: Store, complaints: list[str]) -> None:
    """Rows come by script, each kind shows its own fields, names that were typed above are offered."""
    body = {"key": "k", "variants": [{"key": "a"}, {"key": "b"}], "metrics": [{"key": "sale"}]}
    kept.create_experiment(parse(body | {"context": [{"name": "age", "type": "number"}]}), by="test")
    inside.goto("/experiments/k/edit")
    for number, (key, kind) in enumerate((("left", "bounce"), ("spend", "cost"), ("per-cost", "ratio")), start=1):
        inside.get_by_role("button", name="Add a metric").click()
        inside.locator(f"[name=metrics-{number}-key]").fill(key)
        inside.locator(f"[name=metrics-{number}-kind]").select_option(kind)
    inside.locator("[name=metrics-1-role]").select_option("guardrail")
    inside.locator("[name=metrics-1-pauses]").check()
    expect(inside.locator("[name=metrics-2-pauses]")).to_be_hidden()
    expect(inside.locator("[name=metrics-1-max]")).to_be_hidden()
    expect(inside.locator("[name=metrics-2-max]")).to_be_visible()
    expect(inside.locator("[name=metrics-3-window]")).to_be_hidden()
    inside.locator("[name=metrics-3-numerator]").fill("sale")
    inside.locator("[name=metrics-3-denominator]").fill("spend")
    offered = "[...document.getElementById('metric-keys').options].map((option) => option.value)"
    assert inside.evaluate(offered) == ["sale", "left", "spend"]
    inside.get_by_role("button", name="Add a segment").click()
    inside.locator("[name=segments-0-attribute]").fill("age")
    inside.locator("[name=segments-0-cuts]").fill("30, 50")
    inside.get_by_role("button", name="Save").last.click()
    expect(inside.get_by_text("Saved as version 2")).to_be_visible()
    made = kept.experiment("k").definition
    assert [metric.kind for metric in made.metrics[1:]] == [MetricKind.BOUNCE, MetricKind.COST, MetricKind.RATIO]
    assert (made.metrics[1].role, made.metrics[1].pauses) == (Role.GUARDRAIL, True)
    assert made.segments[0].cuts == (30, 50)
    assert complaints == []


def test_a_plan_becomes_an_experiment(inside: Page, complaints: list[str]) -> None:
    """The form answers at once, and its numbers are in the editor after a click."""
    inside.goto("/plan")
    inside.get_by_label("A value").check()
    expect(inside.locator("[name=baseline]")).to_be_hidden()
    inside.get_by_label("Today's mean").fill("12")
    inside.get_by_label("Standard deviation").fill("30")
    inside.get_by_role("button", name="Work it out").click()
    expect(inside.get_by_text("looking as often as you like")).to_be_visible()
    inside.get_by_role("link", name="Make an experiment of it").click()
    expect(inside.get_by_label("Smallest lift that matters")).to_have_value("10")
    assert complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_everything_that_was_found_fits(
    inside: Page, kept: Store, complaints: list[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """No sideways scrolling; what was chosen and opened stays so when the page refreshes itself."""
    kept.create_experiment(parse(BODY), by="test")
    found = rich(build_report(kept, kept.set_state("spring", State.RUNNING, by="test"), now=system_clock()))
    monkeypatch.setattr("dashboard.pages.results.build_report", lambda *_, **__: found)
    inside.set_viewport_size({"width": width, "height": 844})
    inside.goto("/experiments/spring")
    inside.get_by_role("navigation", name="Metric of the chart").get_by_role("link", name="revenue").click()
    expect(inside.locator("[data-chart=rates] .errorbars path.xerror")).to_have_count(3)
    inside.get_by_text("The audit line").click()
    for _ in range(2):  # the second is asked for once the first was put in place
        with inside.expect_response(lambda answer: "/live?metric=revenue" in answer.url):
            pass
    expect(inside.get_by_text("Limits that hold for any number of visitors")).to_be_visible()
    drawn = inside.evaluate("document.querySelector('[data-chart=rates]').data.map((trace) => trace.x[0])")
    assert drawn == [value.estimate for value in found.metrics[1].variants]
    assert inside.evaluate(FITS)
    assert complaints == []
