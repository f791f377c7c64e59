"""Figures hold the report's numbers, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dashboard.charts import THEMES, estimates_figure, traffic_figure
from experiments.model import Experiment
from experiments.report import ExperimentReport, Traffic, build_report
from experiments.store import Store


@pytest.fixture
def report(kept: Store, experiment: Experiment, clock: Callable[[], int]) -> ExperimentReport:
    """A report with a rate and limits for one variant, and nothing for the other."""
    empty = build_report(kept, experiment, now=clock())
    first = replace(empty.variants[0], visitors=10, conversions=4, rate=0.4, low=0.1, high=0.8, name="<b>Bold</b>")
    traffic = Traffic(
        step_seconds=60, times=(0, 60_000_000), decisions=(4, 2), variants=("a", "b"), shares=((0.25, 0.5), (0.75, 0.5))
    )
    return replace(empty, variants=(first, empty.variants[1]), traffic=traffic)


def test_rates_carry_their_limits(report: ExperimentReport) -> None:
    """The dot is the rate, the whiskers end at the limits; without numbers there is a row and no dot."""
    first, second = estimates_figure(report, "purchase")["data"]
    assert first["x"] == [0.4]
    assert first["x"][0] - first["error_x"]["arrayminus"][0] == pytest.approx(0.1)
    assert first["x"][0] + first["error_x"]["array"][0] == pytest.approx(0.8)
    assert second["x"] == [None]
    assert "error_x" not in second


def test_traffic_adds_up_to_the_whole(report: ExperimentReport) -> None:
    """One area a variant over the same times, stacked to one."""
    first, second = traffic_figure(report)["data"]
    assert first["x"] == second["x"] == ["1970-01-01T00:00:00.000000Z", "1970-01-01T00:01:00.000000Z"]
    assert [a + b for a, b in zip(first["y"], second["y"], strict=True)] == [1, 1]
    assert first["stackgroup"] == second["stackgroup"]


def test_labels_are_text(report: ExperimentReport) -> None:
    """Plotly reads some tags in labels; a name holds none."""
    assert estimates_figure(report, "purchase")["data"][0]["y"] == ["&lt;b&gt;Bold&lt;/b&gt;"]


def test_figures_name_no_colour(report: ExperimentReport) -> None:
    """Colours come from the theme alone, and both themes have the same shape."""
    figures = [estimates_figure(report, "purchase"), traffic_figure(report)]
    assert "#" not in json.dumps(figures)
    assert all("template" not in figure["layout"] for figure in figures)
    light, dark = (json.dumps(_shape(THEMES[name])) for name in ("light", "dark"))
    assert light == dark


@pytest.mark.parametrize(("scheme", "ground"), [("light", "#ffffff"), ("dark", "#161e1b")])
def test_chart_colours_can_be_seen(scheme: str, ground: str) -> None:
    """WCAG 1.4.11: at least 3:1 for marks, 4.5:1 for text."""
    layout = THEMES[scheme]["layout"]
    assert min(_contrast(colour, ground) for colour in layout["colorway"]) >= 3
    for colour in (layout["font"]["color"], layout["xaxis"]["tickfont"]["color"]):
        assert _contrast(colour, ground) >= 4.5


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    return len(value) if isinstance(value, list) else type(value).__name__


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
