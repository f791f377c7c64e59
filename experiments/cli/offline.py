"""The commands that ask questions of logs and worlds: evaluate, replay, simulate, export, and experiment import."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import stdev
from typing import Any

import click

from bandit import policies
from bandit.features import Schema
from bandit.policy import Policy
from bandit.registry import parameters
from bandit.simulate import World
from bandit.simulate import simulate as run_simulation
from bandit.types import Arms
from bandit.validation import InvalidInput
from experiments.cli.console import json_option, opened, show, store_options, url_options
from experiments.cli.offline_text import show_evaluation, show_simulations
from experiments.clock import system_clock
from experiments.errors import Invalid
from experiments.replay import evaluate, export, read_log, replay
from experiments.replay.evaluation import DEFAULT_ESTIMATORS
from experiments.replay.importing import import_log
from experiments.replay.worlds import find_world
from experiments.secret import Secret
from experiments.store import Store

BY = "command line"
_EARNED = ("policy", "rounds", "mean_reward", "last_quarter_mean_reward", "seconds", "rounds_per_second")

_set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Parameter of the policy, or exploration; repeatable."
)


@click.command("evaluate")
@click.argument("log")
@click.option("--target", required=True, help="uniform, logged, variant:KEY, matrix:FILE or policy:NAME.")
@click.option(
    "--estimators",
    default=",".join(DEFAULT_ESTIMATORS),
    show_default=True,
    help="Which, with commas between: ips, snips, dm, dr, sndr.",
)
@click.option("--reward-model", default="ridge", show_default=True, help="tabular:G, ridge, ridge:L or crossfit:MODEL.")
@click.option("--engine", type=click.Choice(["local"]), default="local", help="Where it is computed.")
@_set_option
@url_options
@json_option
def evaluate_command(
    log: str,
    target: str,
    estimators: str,
    reward_model: str,
    engine: str,  # noqa: ARG001 - there is one so far
    settings: Sequence[str],
    url: str,
    as_json: bool,
) -> None:
    """Estimate what TARGET would have earned on the traffic of LOG.

    LOG is obd:DIR, parquet:PATH, csv:PATH, dsjson:PATH or store:KEY.
    """
    with _lazily(url) as store:
        report = evaluate(
            read_log(log, store=store),
            target=target,
            estimators=[name.strip() for name in estimators.split(",") if name.strip()],
            reward_model=reward_model,
            params=_settings(settings),
        )
    show_evaluation(report, as_json=as_json)


@click.command("replay")
@click.argument("log")
@click.option("--policy", required=True, help="The policy that learns as it goes.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the generator that accepts rows.")
@_set_option
@url_options
@json_option
def replay_command(log: str, policy: str, seed: int, settings: Sequence[str], url: str, as_json: bool) -> None:
    """Let a policy live through LOG, by accepting the rows that it would have produced."""
    with _lazily(url) as store:
        opened = read_log(log, store=store)
        started = time.perf_counter()
        report = replay(opened, policy=policy, params=_settings(settings), seed=seed)
        body = report.to_json() | _speed(report.rounds, started)
    show(body, as_json=as_json, only=("rows", *_EARNED))


@click.command("simulate")
@click.argument("worlds", nargs=-1, required=True, metavar="WORLD...")
@click.option("--policy", "names", multiple=True, default=("auto",), show_default=True, help="Who plays; repeatable.")
@click.option("--rounds", type=click.IntRange(min=1), help="The first so many rounds of the world; all by default.")
@click.option("--seeds", default="0", show_default=True, help="With commas between; each is one run.")
@click.option(
    "--worlds",
    "folder",
    envvar="LANDIT_WORLDS",
    type=click.Path(path_type=Path),
    help="Folder with logistic.npz and polynomial.npz.",
)
@_set_option
@json_option
def simulate_command(
    worlds: Sequence[str],
    names: Sequence[str],
    rounds: int | None,
    seeds: str,
    folder: Path | None,
    settings: Sequence[str],
    as_json: bool,
) -> None:
    """Let policies play WORLDs: digits, logistic, polynomial, shift or file:WORLD.npz.

    Several policies take only those settings that they know. ``load`` is what else the machine was busy with: the mean
    number of running processes in the minute before.
    """
    params, numbers = _settings(settings), _seeds(seeds)
    places = [find_world(world, folder=folder) for world in worlds]
    load = os.getloadavg()[0]
    played = []
    for place in places:
        for name in names:
            known = {"exploration", *(each.name for each in parameters(name))}
            own = params if len(names) == 1 else {key: value for key, value in params.items() if key in known}
            played.append(_played(place, name, own, rounds=rounds, seeds=numbers) | {"load": load})
    if len(played) == 1:
        show(played[0], as_json=as_json, only=(*_EARNED, "standard_error", "load"))
    elif as_json:
        show({"load": load, "runs": played}, as_json=True)
    else:
        show_simulations(played, load=load)


def _played(
    place: World, name: str, params: dict[str, float | int], *, rounds: int | None, seeds: Sequence[int]
) -> dict[str, Any]:
    """Let one policy play one world, and return what there is to say of it."""
    arms = Arms(tuple(str(arm) for arm in range(place.arms)))
    schema = Schema.numeric(place.contexts.shape[1])

    def make(seed: int) -> Policy:
        seeded = {"seed": seed} if any(known.name == "seed" for known in parameters(name)) else {}
        return policies.create(name, schema=schema, arms=arms, **(seeded | params))

    started = time.perf_counter()
    try:
        done = run_simulation(make, place, rounds=rounds, seeds=seeds)
    except InvalidInput as error:
        raise Invalid(f"The simulation cannot run: {error}.") from error
    means = [run.mean_reward for run in done.runs]
    return {
        "world": place.name,
        "policy": name,
        "params": params,
        "rounds": done.rounds,
        "mean_reward": done.mean_reward,
        "standard_error": stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None,
        "last_quarter_mean_reward": done.last_quarter_mean_reward,
        "seeds": [asdict(run) for run in done.runs],
    } | _speed(done.rounds * len(seeds), started)


@click.command("export")
@click.argument("key")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="A folder without Parquet files.")
@store_options
@json_option
def export_command(store: Store, key: str, folder: Path, as_json: bool) -> None:
    """Write every decision of experiment KEY, with its rewards, to Parquet."""
    show(asdict(export(store, key, folder)), as_json=as_json)


@click.command("import")
@click.argument("key")
@click.argument("log")
@store_options
@json_option
@click.pass_context
def import_command(ctx: click.Context, store: Store, key: str, log: str, as_json: bool) -> None:
    """Keep LOG as the finished experiment KEY."""
    secret = Secret.load(ctx.params["data"], os.environ.get("LANDIT_SECRET"))
    source = read_log(log, store=store)
    done = import_log(source, key, store=store, by=BY, now=system_clock(), pseudonym=secret.pseudonym)
    show(done.experiment.to_json() | {"rows": done.rows}, as_json=as_json, only=("key", "state", "rows"))


@contextmanager
def _lazily(url: str) -> Iterator[Callable[[], Store]]:
    """A function that opens the store when it is called: a log in a file needs none."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(opened(url))


def _settings(pairs: Sequence[str]) -> dict[str, float | int]:
    settings: dict[str, float | int] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not equals or not name or number != number:
            raise Invalid(f"--set {pair!r} is not KEY=NUMBER.", hint="For instance --set alpha=0.25.")
        settings[name] = number
    return settings


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(seed) for seed in text.split(",")]
    except ValueError:
        seeds = [-1]
    if min(seeds) < 0:
        raise Invalid(f"--seeds {text!r} is not a list of whole numbers.", hint="For instance --seeds 1,2,3.")
    return seeds


def _speed(rounds: int, started: float) -> dict[str, float]:
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "rounds_per_second": rounds / seconds}
