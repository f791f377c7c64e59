"""The results of one experiment: a page that keeps itself up to date, and the same numbers as JSON and CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from dashboard import assets, charts
from dashboard.api.openapi import operation
from dashboard.extension import landit, store
from dashboard.guard.auth import allow
from dashboard.pages import snippets
from experiments.access import Scope, UserRole
from experiments.definition import warnings
from experiments.model import Experiment
from experiments.report import ExperimentReport, VariantReport, build_report

pages = Blueprint("results", __name__, url_prefix="/experiments/<key>")

COLUMNS = (
    *("key", "name", "visitors", "conversions", "rate", "low", "high"),
    *("interval", "share", "belief_best", "expected_loss", "estimate", "audit_low", "audit_high"),
)
CONTRAST_COLUMNS = (
    *("difference", "low", "high", "lift", "lift_low", "lift_high"),
    *("p_value", "e_value", "adjusted_p", "alpha", "proved"),
)
"""Of each variant against the control, after ``COLUMNS``; in the sheet they begin with ``control_``."""

LIVE_PARTS = ("verdict", "numbers", "proofs", "metrics", "served", "segments", "belief", "health", "figures")
"""Templates of what changes while one looks, in the order of the page."""


@pages.get("")
@allow(UserRole.VIEWER)
def page(key: str) -> ResponseReturnValue:
    """Show the results."""
    experiment = store().experiment(key)
    return render_template(
        "experiments/results.html",
        **_live(experiment),
        versions=store().versions(key)[::-1],
        warnings=warnings(experiment.definition),
        snippets=snippets.of(experiment, url=landit().settings.url),
        plotly=assets.plotly(),
        themes=charts.THEMES,
    )


@pages.get("/live")
@allow(UserRole.VIEWER, polled=True)
def live(key: str) -> ResponseReturnValue:
    """Return those parts of the page that change, for its script to put in place."""
    return render_template("experiments/live.html", **_live(store().experiment(key)))


@pages.get("/report.json")
@allow(UserRole.VIEWER, scope=Scope.ADMIN, polled=True)
@operation(summary="Every number of an experiment's results page", tag="results")
def report_json(key: str) -> ResponseReturnValue:
    """Return the report."""
    return jsonify(_report(store().experiment(key)).to_json())


@pages.get("/report.csv")
@allow(UserRole.VIEWER, scope=Scope.ADMIN)
@operation(summary="The report's table of variants, as CSV", tag="results")
def report_csv(key: str) -> ResponseReturnValue:
    """Return the table of variants for a spreadsheet."""
    report = _report(store().experiment(key))
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow([*COLUMNS, *(f"control_{name}" for name in CONTRAST_COLUMNS)])
    writer.writerows(map(_line, report.variants))
    headers = {"Content-Disposition": f'attachment; filename="{key}.csv"'}
    return Response(sheet.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _report(experiment: Experiment) -> ExperimentReport:
    return build_report(store(), experiment, now=landit().clock())


def _live(experiment: Experiment) -> dict[str, Any]:
    """Everything that the live parts show; the chart is of the metric that the address names, else of the objective."""
    report = _report(experiment)
    metrics = {metric.key for metric in report.metrics}
    chosen = request.args.get("metric", "")
    chosen = chosen if chosen in metrics else report.objective
    return {
        "experiment": experiment,
        "report": report,
        "live_parts": LIVE_PARTS,
        "chosen": chosen,
        "names": {variant.key: variant.name or variant.key for variant in report.variants},
        "places": {variant.key: place for place, variant in enumerate(report.variants)},
        "figures": {"rates": charts.estimates_figure(report, chosen), "traffic": charts.traffic_figure(report)},
    }


def _line(variant: VariantReport) -> list[Any]:
    contrast = [None if variant.contrast is None else getattr(variant.contrast, name) for name in CONTRAST_COLUMNS]
    return [_cell(value) for value in (*(getattr(variant, name) for name in COLUMNS), *contrast)]


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from reading text as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
