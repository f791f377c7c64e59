"""The ``landit demo`` command."""

from __future__ import annotations

import os

import click
from rich.console import Console

from dashboard.demo.run import RATE, Bounds, run_demo
from dashboard.settings import Settings

DATA = "landit-data-demo"


@click.command()
@click.option("--visitors", type=click.IntRange(min=1), help="End after so many simulated visitors.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after so many seconds.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=RATE, show_default=True, help="Visitors a second."
)
@click.option("--data", help=f"Data folder.  [default: {DATA}]")
@click.option("--host", help="Address to listen on.")
@click.option("--port", help="Port to listen on.")
def demo(
    visitors: int | None, seconds: float | None, rate: float, data: str | None, host: str | None, port: str | None
) -> None:
    """Serve a demo on a real log and on simulated visitors, until Ctrl-C."""
    environment = {"LANDIT_DATA": DATA} | {name: value for name, value in os.environ.items() if value}
    settings = Settings.read(environment, data=data, host=host, port=port)
    run_demo(settings, bounds=Bounds(visitors, seconds), console=Console(), rate=rate)
