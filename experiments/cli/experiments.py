"""The commands that need no web: the schema, experiments and their states, relearning and recounting."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from experiments.cli.console import Commands, json_option, show, show_rows, store_options, url_options
from experiments.clock import system_clock
from experiments.definition import parse, warnings
from experiments.keeper import recount, relearn
from experiments.model import Experiment, State
from experiments.store import Store, migrate

BY = "command line"
_SUMMARY = ("key", "name", "state", "version", "phase")

FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)


@click.command("migrate")
@url_options
@json_option
def migrate_command(url: str, as_json: bool) -> None:
    """Bring the store's schema up to date; make the store where there is none."""
    migrate(url)
    show({"migrated": True}, as_json=as_json)


@click.command("relearn")
@click.argument("key")
@store_options
@json_option
@click.pass_context
def relearn_command(ctx: click.Context, store: Store, key: str, as_json: bool) -> None:
    """Rebuild the policy state of experiment KEY from the log, and compare it with what is served."""
    result = relearn.relearn(store, key)
    show({"experiment": key, **asdict(result)}, as_json=as_json)
    if not result.matches:
        click.echo(
            f"landit: the rebuilt state differs from version {result.version}. Keep both, and report it.", err=True
        )
        ctx.exit(1)


@click.command("recount")
@click.argument("key")
@store_options
@json_option
@click.pass_context
def recount_command(ctx: click.Context, store: Store, key: str, as_json: bool) -> None:
    """Rebuild the analysis of experiment KEY from the log, and compare it with what is shown.

    That of an imported log is put right where it differs; a served experiment's is its keeper's.
    """
    result = recount.recount(store, key, now=system_clock())
    show({"experiment": key, **asdict(result)}, as_json=as_json)
    if not result.matches and not result.mended:
        click.echo("landit: the rebuilt analysis differs from the stored one. Keep both, and report it.", err=True)
        ctx.exit(1)


@click.group("experiment", cls=Commands, homes={"import": "experiments.cli.offline:import_command"})
def experiment_group() -> None:
    """Define experiments, and start, pause and stop them."""


@experiment_group.command("list")
@store_options
@json_option
def list_command(store: Store, as_json: bool) -> None:
    """List all experiments, the newest first."""
    rows = [experiment.to_json() for experiment in store.experiments()]
    show_rows("experiments", rows, columns=_SUMMARY, as_json=as_json)


@experiment_group.command("show")
@click.argument("key")
@store_options
@json_option
def show_command(store: Store, key: str, as_json: bool) -> None:
    """Show experiment KEY as JSON: what ``create`` reads, with its version, phase and state."""
    _show(store.experiment(key), as_json=as_json)


@experiment_group.command("create")
@click.argument("file", type=FILE)
@store_options
@json_option
def create_command(store: Store, file: Path, as_json: bool) -> None:
    """Create a draft from the definition in FILE (``-`` for standard input)."""
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    definition = parse(body)
    experiment = store.create_experiment(definition, by=BY)
    notes = warnings(definition)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    _show(experiment, as_json=as_json, warnings=notes)


@experiment_group.command("start")
@click.argument("key")
@store_options
@json_option
def start_command(store: Store, key: str, as_json: bool) -> None:
    """Start experiment KEY, or go on after a pause."""
    _show(store.set_state(key, State.RUNNING, by=BY), as_json=as_json)


@experiment_group.command("pause")
@click.argument("key")
@store_options
@json_option
def pause_command(store: Store, key: str, as_json: bool) -> None:
    """Pause experiment KEY: visitors get the control meanwhile."""
    _show(store.set_state(key, State.PAUSED, by=BY), as_json=as_json)


@experiment_group.command("stop")
@click.argument("key")
@click.option("--winner", metavar="VARIANT", help="The variant that every visitor gets from now on.")
@store_options
@json_option
def stop_command(store: Store, key: str, winner: str | None, as_json: bool) -> None:
    """Stop experiment KEY for good, and ship its winner, if one is named."""
    _show(store.set_state(key, State.STOPPED, by=BY, winner=winner), as_json=as_json)


def _show(experiment: Experiment, *, as_json: bool, **more: Any) -> None:
    show(experiment.to_json() | more, as_json=as_json, only=_SUMMARY)
