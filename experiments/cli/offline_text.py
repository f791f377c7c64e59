"""How evaluations and simulations look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bandit.offpolicy import Estimate
from experiments.cli.console import show
from experiments.replay import EvaluationReport


def show_evaluation(report: EvaluationReport, *, as_json: bool) -> None:
    """Print an evaluation as JSON, or a line an estimator and what limits it."""
    if as_json:
        show(report.to_json(), as_json=True)
        return
    console = Console()
    console.print(f"{report.target} on {report.log}: {report.metric} a decision")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "value", "95 % interval", "to logged", "95 % interval"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
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


def show_simulations(played: Sequence[Mapping[str, Any]], *, load: float) -> None:
    """Print a line a world and policy: what it earned a round, with its standard error over the seeds."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("world", "policy", "mean reward", "standard error", "last quarter", "rounds/s"):
        table.add_column(heading, justify="left" if heading in ("world", "policy") else "right", no_wrap=True)
    for one in played:
        error = "" if one["standard_error"] is None else f"{one['standard_error']:.4f}"
        earned = (f"{one['mean_reward']:.4f}", error, f"{one['last_quarter_mean_reward']:.4f}")
        table.add_row(one["world"], one["policy"], *earned, f"{one['rounds_per_second']:.0f}")
    console = Console()
    console.print(table)
    console.print(f"{played[0]['rounds']} rounds, {len(played[0]['seeds'])} seeds; load before: {load:.2f} processes")


def _interval(estimate: Estimate) -> str:
    return f"{estimate.low:.3g} … {estimate.high:.3g}"
