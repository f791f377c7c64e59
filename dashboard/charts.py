"""A report's numbers as Plotly figures: no database, no request, no arithmetic.

A figure names no colour. The page puts one of :data:`THEMES` under it, so that the same figure fits a light and a dark
screen; a variant has the same place in every figure, and therefore the same colour.
"""

from __future__ import annotations

import json
from typing import Any

from experiments.report import ExperimentReport
from experiments.report.values import iso

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
FEW = 8
"""Variants up to which a chart names each; more are told apart by pointing at them."""
MARGIN = {"l": 8, "r": 16, "t": 8, "b": 8}


def rates_figure(report: ExperimentReport) -> dict[str, Any]:
    """Return each variant's rate as a dot, with its always-valid interval where there is one."""
    import plotly.graph_objects as go

    figure = go.Figure(
        data=[
            go.Scatter(
                x=[variant.rate],
                y=[_label(variant.name, variant.key)],
                error_x=_limits(variant.rate, variant.low, variant.high),
                mode="markers",
                marker={"size": 11},
                name=variant.key,
                hovertemplate=f"%{{x:{_number(report)}}}<extra>{_plain(variant.key)}</extra>",
            )
            for variant in report.variants
        ],
        layout={
            "showlegend": False,
            "margin": MARGIN,
            "height": 96 + len(report.variants) * _row_height(len(report.variants)),
            "xaxis": {"tickformat": _ticks(report), "automargin": True, "zeroline": False},
            "yaxis": {
                "range": [len(report.variants) - 0.5, -0.5],
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


def _label(name: str, key: str) -> str:
    text = name or key
    return _plain(text if len(text) <= 28 else f"{text[:27]}…")


def _plain(text: str) -> str:
    """Plotly reads a few HTML tags in labels: what a person typed is text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_share(report: ExperimentReport) -> bool:
    return any(metric.key == report.objective and metric.kind == "conversion" for metric in report.metrics)


def _ticks(report: ExperimentReport) -> str:
    return ".2~%" if _is_share(report) else ",.4~r"


def _number(report: ExperimentReport) -> str:
    return ".2%" if _is_share(report) else ",.3f"


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
