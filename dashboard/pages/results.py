"""The results of one experiment: a page that keeps itself up to date, and the same numbers as JSON and CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from flask.typing import ResponseReturnValue

from dashboard import assets, charts
from dashboard.api.openapi import operation
from dashboard.extension import landit, store
from dashboard.guard.auth import allow
from dashboard.pages import snippets
from experiments.access import Scope, UserRole
from experiments.definition import warnings
from experiments.model import Experiment
from experiments.report import ExperimentReport, build_report

pages = Blueprint("results", __name__, url_prefix="/experiments/<key>")

COLUMNS = (
    *("key", "name", "visitors", "conversions", "rate", "low", "high"),
    *("interval", "share", "belief_best", "expected_loss"),
)

LIVE_PARTS = ("verdict", "numbers", "belief", "health", "figures")
"""Templates of what changes while one looks."""


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
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(variant, name)) for name in COLUMNS] for variant in report.variants)
    headers = {"Content-Disposition": f'attachment; filename="{key}.csv"'}
    return Response(sheet.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _report(experiment: Experiment) -> ExperimentReport:
    return build_report(store(), experiment, now=landit().clock())


def _live(experiment: Experiment) -> dict[str, Any]:
    report = _report(experiment)
    return {
        "experiment": experiment,
        "report": report,
        "live_parts": LIVE_PARTS,
        "figures": {"rates": charts.rates_figure(report), "traffic": charts.traffic_figure(report)},
    }


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from reading text as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
