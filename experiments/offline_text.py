"""How the answers of the offline commands look in a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from bandit.offpolicy import Estimate
from experiments.replay import EvaluationReport


def print_json(body: dict[str, Any]) -> None:
    """Print one JSON object; a number that JSON does not know would be an error of ours."""
    click.echo(json.dumps(body, allow_nan=False))


def show(body: dict[str, Any], *, as_json: bool, skip: Sequence[str] = (), only: Sequence[str] = ()) -> None:
    """Print a report's numbers, one a line, or all of it as JSON."""
    if as_json:
        print_json(body)
        return
    table = Table(show_header=False, box=None)
    for name, value in body.items():
        if name not in skip and (not only or name in only):
            table.add_row(name.replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)


def print_report(report: EvaluationReport) -> None:
    """Print an evaluation: a line an estimator, and what limits it."""
    console = Console()
    console.print(f"{report.target} on {report.log}: {report.metric} a decision")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("estimator", "value", "95 % interval", "above logged", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "estimator" else "right", no_wrap=True)
    table.add_row("logged", f"{report.logged.value:.4g}", _interval(report.logged))
    for one in report.estimates:
        difference = f"{one.difference.value:+.4g}"
        table.add_row(
            one.estimator, f"{one.estimate.value:.4g}", _interval(one.estimate), difference, _interval(one.difference)
        )
    console.print(table)
    weights = "" if report.max_weight is None else f", greatest weight {report.max_weight:.4g}"
    effective = "unknown" if report.effective_sample_size is None else f"{report.effective_sample_size:.1f}"
    console.print(f"{report.rows} rows, effective {effective}{weights}")
    for refusal in report.refused:
        console.print(f"refused: {refusal.reason}")
    for warning in report.warnings:
        console.print(f"note: {warning}")


def _interval(estimate: Estimate) -> str:
    return f"{estimate.low:.4g} … {estimate.high:.4g}"
