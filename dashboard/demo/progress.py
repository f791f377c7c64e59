"""The progress line of the demo: what the simulated visitors do, and what the server has made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from dashboard.demo.visitors import Tally
from experiments.clock import system_clock
from experiments.report import ExperimentReport, build_report
from experiments.store import Store

QUIET_SECONDS = 10.0
"""Between two lines where there is no terminal to repaint."""


class Progress:
    """Repaints a few lines on a terminal; prints one line now and then elsewhere."""

    def __init__(self, console: Console, store: Store, experiments: Sequence[str]) -> None:
        self._console, self._store, self._experiments = console, store, experiments
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._printed = -QUIET_SECONDS

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, tally: Tally, seconds: float) -> None:
        """Say what goes on after so many seconds."""
        if self._live is not None:
            self._live.update(self._table(tally, seconds), refresh=True)
        elif time.monotonic() - self._printed >= QUIET_SECONDS:
            self._printed = time.monotonic()
            parts = [headline(tally, seconds)] + [f"{r.experiment}: {outcome(r)}" for r in self._reports()]
            self._console.print(" | ".join(parts), soft_wrap=True)

    def _table(self, tally: Tally, seconds: float) -> Table:
        table = Table(box=None, show_header=False, title=headline(tally, seconds), title_justify="left")
        for report in self._reports():
            table.add_row(report.experiment, report.policy, f"{report.rows:,} rows learned", outcome(report))
        return table

    def _reports(self) -> list[ExperimentReport]:
        now = system_clock()
        return [build_report(self._store, self._store.experiment(key), now=now) for key in self._experiments]


def headline(tally: Tally, seconds: float) -> str:
    """The visitors' line.

    >>> headline(Tally(visitors=1500, conversions=180), 10.0)
    'Simulated: 1,500 visitors (150 a second), 180 conversions. Ctrl-C ends it.'
    """
    refused = f", {tally.refused} requests failed ({tally.last_refusal})" if tally.refused else ""
    pace = tally.visitors / seconds if seconds > 0 else 0.0
    return (
        f"Simulated: {tally.visitors:,} visitors ({pace:.0f} a second), {tally.conversions:,} conversions{refused}. "
        "Ctrl-C ends it."
    )


def outcome(report: ExperimentReport) -> str:
    """Where the traffic goes now, and the advice."""
    shares = [(variant.share_now, variant.key) for variant in report.variants if variant.share_now is not None]
    if not shares:
        return report.advice.text
    split = ", ".join(f"{key} {share:.0%}" for share, key in sorted(shares, reverse=True))
    return f"{split}. {report.advice.text}"
