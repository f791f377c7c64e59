"""A report's numbers as Plotly figures: no database, no request, no arithmetic.

A figure names no colour. The page puts one of :data:`THEMES` under it, so that the same figure fits a light and a dark
screen; a variant has the same place in every figure, and therefore the same colour.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from experiments.model import MetricKind
from experiments.report import ExperimentReport
from experiments.report.values import iso

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
FEW = 8
"""Variants up to which a chart names each; more are told apart by pointing at them."""
MARGIN = {"l": 8, "r": 16, "t": 8, "b": 8}
SHARES = frozenset({MetricKind.CONVERSION, MetricKind.BOUNCE})
"""Kinds whose mean is a share of visitors."""


@dataclass(frozen=True, slots=True)
class Point:
    """One variant in the chart of a metric."""

    key: str
    label: str
    value: float | None
    low: float | None
    high: float | None


def estimates_figure(report: ExperimentReport, metric: str) -> dict[str, Any]:
    """Return each variant's estimate of a metric as a dot, with its always-valid interval where there is one.

    Where no interval is valid, the dot is hollow and stands at the mean as it was observed.
    """
    import plotly.graph_objects as go

    kind = next(found.kind for found in report.metrics if found.key == metric)
    points = _points(report, metric)
    figure = go.Figure(
        data=[
            go.Scatter(
                x=[point.value],
                y=[point.label],
                error_x=_limits(point.value, point.low, point.high),
                mode="markers",
                marker={"size": 11, "symbol": "circle" if point.low is not None else "circle-open"},
                name=point.key,
                hovertemplate=f"%{{x:{_number(kind)}}}{_between(point, kind)}<extra>{_plain(point.key)}</extra>",
            )
            for point in points
        ],
        layout={
            "showlegend": False,
            "margin": MARGIN,
            "height": 96 + len(points) * _row_height(len(points)),
            "xaxis": {"tickformat": _ticks(kind), "automargin": True, "zeroline": False, "nticks": 7},
            "yaxis": {
                "range": [len(points) - 0.5, -0.5],
                "automargin": True,
                "showgrid": False,
                "ticksuffix": "  ",
            },
        },
    )
    return _plain_json(figure)


def traffic_figure(report: ExperimentReport) -> dict[str, Any]:
    """Return the share of decisions that each variant got over time, stacked to the whole."""
    import plotly.graph_objects as go

    times = [iso(time) for time in report.traffic.times]
    few = len(report.traffic.variants) <= FEW
    figure = go.Figure(
        data=[
            go.Scatter(
                x=times,
                y=list(shares),
                stackgroup="traffic",
                mode="lines" if len(times) > 1 else "markers",
                line={"width": 1, "shape": "hv"},
                name=key,
                hovertemplate=f"%{{y:.1%}}<extra>{key}</extra>",
            )
            for key, shares in zip(report.traffic.variants, report.traffic.shares, strict=True)
        ],
        layout={
            "hovermode": "x unified" if few else "closest",
            "showlegend": few,
            "margin": MARGIN,
            "height": 320,
            "xaxis": {"automargin": True, "showgrid": False, "type": "date"},
            "yaxis": {"range": [0, 1], "tickformat": ".0%", "automargin": True},
            "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "traceorder": "normal"},
        },
    )
    return _plain_json(figure)


def _row_height(rows: int) -> int:
    """Pixels: roomy where there are few, close where there are many."""
    return max(18, min(44, 640 // rows))


def _limits(rate: float | None, low: float | None, high: float | None) -> dict[str, Any] | None:
    if rate is None or low is None or high is None:
        return None
    return {"type": "data", "symmetric": False, "array": [high - rate], "arrayminus": [rate - low], "thickness": 2}


def _label(text: str) -> str:
    return _plain(text if len(text) <= 28 else f"{text[:27]}…")


def _plain(text: str) -> str:
    """Plotly reads a few HTML tags in labels: what a person typed is text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _points(report: ExperimentReport, metric: str) -> list[Point]:
    """The variants' estimates of a metric, each with the label of its variant: the key where names are repeated."""
    names = [variant.name or variant.key for variant in report.variants]
    labels = {
        v.key: _label(name if names.count(name) == 1 else v.key) for v, name in zip(report.variants, names, strict=True)
    }
    if metric == report.objective:
        return [Point(v.key, labels[v.key], _first(v.estimate, v.rate), v.low, v.high) for v in report.variants]
    found = next(item for item in report.metrics if item.key == metric).variants
    return [
        Point(v.variant, labels.get(v.variant, v.variant), _first(v.estimate, v.mean), v.low, v.high) for v in found
    ]


def _first(estimate: float | None, observed: float | None) -> float | None:
    return observed if estimate is None else estimate


def _between(point: Point, kind: MetricKind) -> str:
    if point.low is None or point.high is None:
        return ""
    return f"<br>{_text(point.low, kind)} to {_text(point.high, kind)}"


def _text(value: float, kind: MetricKind) -> str:
    return f"{value:.2%}" if kind in SHARES else f"{value:,.3f}"


def _ticks(kind: MetricKind) -> str:
    return ".2~%" if kind in SHARES else ",.4~r"


def _number(kind: MetricKind) -> str:
    return ".2%" if kind in SHARES else ",.3f"


def _plain_json(figure: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(figure.to_json())
    body["layout"].pop("template", None)
    return body


def _theme(*, ink: str, muted: str, line: str, colours: list[str], surface: str) -> dict[str, Any]:
    axis = {"gridcolor": line, "linecolor": line, "zerolinecolor": line, "tickfont": {"color": muted}}
    return {
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 13, "color": ink},
            "colorway": colours,
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": surface, "bordercolor": line, "font": {"color": ink}},
            "legend": {"font": {"color": ink}},
        }
    }


THEMES = {
    "light": _theme(
        ink="#17211d",
        muted="#566660",
        line="#dfe5e2",
        surface="#ffffff",
        colours=["#7a8a84", "#0b7a66", "#d97706", "#3b6fd4", "#b4478c", "#5b8c2a", "#7c5cd6", "#c2513d", "#1694ad",
                 "#8a6d1f"],
    ),
    "dark": _theme(
        ink="#e6eeea",
        muted="#9bada5",
        line="#2b3833",
        surface="#1c2622",
        colours=["#8fa19a", "#38c6a7", "#f0a33f", "#7ba6f7", "#e087bd", "#9bcf62", "#ab94f5", "#f08a77", "#4cc6de",
                 "#d1b054"],
    ),
}  # fmt: skip
"""Plotly templates for both schemes; the first variant, usually today's page, is a calm grey."""
